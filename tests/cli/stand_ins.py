"""Reports and findings that stand for those of an analysis."""

from __future__ import annotations

from fpcheck.core.catalogue import default_limits, finding
from fpcheck.core.findings import Finding, verdict_of
from fpcheck.core.plain import plain
from fpcheck.report.report import Report


def fake_report(model: str, *findings: Finding, questions=()) -> Report:
    document = {
        "schema": "fpcheck/report/1",
        "fpcheck": "0.1.0",
        "verdict": verdict_of(findings),
        "subject": {
            "name": str(model), "format": "npz", "sha256": "0" * 64, "parameters": 4,
            "input_shape": [2], "output_shape": [2], "self_map": True, "layers": [],
        },
        "settings": {
            "seed": 0, "questions": list(questions), "limits": dict(default_limits()),
            "versions": {}, "fail_on": "error",
        },
        "findings": [plain(one) for one in findings],
        "weights": {"layers": []},
        "signal": {"skipped": "not asked"},
        "attractors": {"skipped": "not a self-map"},
        "readout": {"skipped": "no data"},
    }  # fmt: skip
    return Report(document, verdict_of(findings), findings)


def a_finding(code="FP202", outcome="fail") -> Finding:
    return finding(code, outcome, where="network", message="it moves", status="numerical")
