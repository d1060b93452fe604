"""`fpcheck report`: a saved report again, in another format or under other limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpcheck.cli import options
from fpcheck.core.config import Configuration, read_configuration
from fpcheck.core.errors import DataError

if TYPE_CHECKING:
    from fpcheck.core.settings import Settings

# What can change without measuring again, by configuration key and field of Settings.
CHANGEABLE = {"select": "select", "ignore": "ignore", "fail-on": "fail_on"}


def report(
    saved: Annotated[
        Path, typer.Argument(metavar="SAVED.json", help="What -f json or -o json=FILE wrote.")
    ],
    *,
    limit: options.Limits = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    fail_on: options.FailOn = None,
    config: options.Config = None,
    format_: options.Format = None,
    output: options.Outputs = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    ascii_only: options.Ascii = False,
    width: options.Width = None,
) -> int:
    """Show a saved report, or trace, again: in another format, under other limits.

    Nothing is measured.

    The settings saved in the report hold, but for what flags and --config change.

    \b
      fpcheck analyze samples/autoencoder.pt --activation tanh -o json=report.json
      fpcheck report report.json
      fpcheck report report.json --ignore FP1 --fail-on warning
    """
    from fpcheck.cli.deliver import deliver, rendered
    from fpcheck.cli.outputs import plan_outputs
    from fpcheck.cli.terminal import say
    from fpcheck.report.document import is_trace, read_saved
    from fpcheck.report.report import exit_code, judge_document, saved_settings

    configuration = read_configuration(
        Path.cwd(),
        config=config,
        flags={"select": select or None, "ignore": ignore or None, "fail-on": fail_on},
        limits=limit or (),
        discover=False,
    )
    style = options.output_style(width=width, ascii_only=ascii_only, quiet=quiet, verbose=verbose)
    (plan,) = plan_outputs(format_, output or (), [str(saved)])
    document = read_saved(saved)
    name = document["run" if is_trace(document) else "subject"]["name"]
    settings = _changed(saved_settings(document), configuration, str(name))
    try:
        if is_trace(document):
            from fpcheck.cli.trace_run import rejudged, rendered_trace

            judged = rejudged(document, settings)
            texts = rendered_trace(judged.document, plan, style)
        else:
            judged = judge_document(document, settings)
            texts = rendered(judged, plan, style)
    except (TypeError, KeyError, IndexError, ValueError) as error:
        # The schema lets a number be null, for one that was not finite; where a rule or a table
        # needs it, somebody has changed the file.
        raise DataError(
            f"damaged report: a value is missing ({error})", where=saved.name
        ) from error
    deliver(texts, style)
    code = exit_code(judged, settings.fail_on)
    if code == 3:
        say("note: nothing that was asked could be judged")
    return code


def _changed(settings: Settings, configuration: Configuration, model: str) -> Settings:
    """The saved settings with what the flags and --config set instead."""
    asked = configuration.settings_for(model)
    changed: dict[str, Any] = {
        field: getattr(asked, field)
        for key, field in CHANGEABLE.items()
        if configuration.value(key).source != "default"
    }
    return replace(
        settings,
        **changed,
        limits={**settings.limits, **asked.limits},
        levels={**settings.levels, **asked.levels},
    )
