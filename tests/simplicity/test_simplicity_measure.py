"""The whole question, small: classes, numbers, bad input in one sentence, no part left out."""

import json
from dataclasses import replace

import numpy as np
import pytest
from planted import chain, planted

from fpcheck.core.errors import DataError, UsageError
from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.network.data import Data
from fpcheck.network.network import Network, needed_parameters
from fpcheck.network.skeleton import BatchNorm, Dense, Input, Skeleton
from fpcheck.simplicity.measure import measure
from fpcheck.simplicity.result import Skipped

SMALL = Settings(threads=1, effort=0.25, label_rows=16, label_shuffles=2, label_law="uniform")


def network_of(skeleton):
    empty = {name: np.zeros(shape) for _, name, shape in needed_parameters(skeleton)}
    return Network(skeleton, empty)


def data_of(rows, targets, classes=None):
    targets = np.asarray(targets)
    names = () if classes is None else tuple(map(str, range(classes)))
    if classes is None:
        return Data(rows, targets.reshape(len(rows), -1), "regression", names, "data.npz")
    return Data(rows, targets.astype(np.int64), "classification", names, "data.npz")


def teacher(rows=80, inputs=4, seed=0):
    whole = planted(rows=rows, inputs=inputs, width=1, seed=seed)
    return data_of(whole.rows, whole.labels, 2)


def asked(skeleton, data, settings=SMALL):
    return measure(network_of(skeleton), data, settings, Monitor())


def refused(skeleton, data, settings=SMALL):
    found = asked(skeleton, data, settings)
    assert isinstance(found, Skipped), found
    return found.skipped


FLAT = """rows test_rows classes rule outputs law parameters scaled_neurons errors_allowed tolerance
notes contradictions least_errors bits bits_low bits_high bits_per_sample status method networks
accepted repetitions levels acceptance mixed mixing random_label_bits random_label_bits_low
random_label_bits_high random_label_status random_label_floor random_labels difference majority_bits
majority_bits_low majority_bits_high majority_status growth error_bound error_bound_delta
error_bound_vote error_bound_scans error_bound_reason guess_and_check_error
guess_and_check_error_low guess_and_check_error_high vote_error vote_error_low vote_error_high
accepted_networks majority_error training errors_curve expensive expensive_at scan scan_slope
verdict"""


def test_every_key_of_the_section_is_there_and_it_is_plain_data():
    found = asked(chain(4, 6, 1), teacher())
    section = found.section()
    assert set(FLAT.split()) <= set(section)
    json.dumps(section, allow_nan=False)
    assert section["rows"] == 16
    assert section["test_rows"] == 64
    assert section["bits_low"] <= section["bits"] <= section["bits_high"]
    assert section["bits_per_sample"] == pytest.approx(section["bits"] / 16)
    assert section["error_bound"] < 1.0
    assert section["error_bound_scans"] == 1
    assert section["training"]["reached"] == 5
    assert section["training"]["multiply_adds_of_sampling"] > 0.0
    assert section["verdict"]["question"] == "narrow teacher"
    assert "skipped" in section["scan"]
    assert section["scan_slope"] is None


@pytest.mark.parametrize("rows", [2, 3])
@pytest.mark.parametrize("numbers", [False, True])
def test_the_fewest_rows_are_asked_about(rows, numbers):
    data = teacher()
    if numbers:
        data = data_of(data.inputs, data.inputs[:, 0])
    section = asked(chain(4, 6, 1), data, replace(SMALL, label_rows=rows)).section()
    json.dumps(section, allow_nan=False)
    assert section["growth"]["exponent"] is None
    assert section["growth"]["points"][-1]["rows"] == rows
    assert section["verdict"]["answer"] == "cannot tell"


@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_classifier_with_an_output_a_class_is_answered(classes):
    rows = np.random.default_rng(0).normal(size=(30, 2))
    data = data_of(rows, np.arange(30) % classes, classes)
    section = asked(chain(2, classes), data, replace(SMALL, label_rows=6)).section()
    assert section["rule"] == "argmax"
    assert section["majority_bits"] > 0.0
    assert section["majority_status"] in ("sampled", "exact")


def test_no_number_depends_on_the_threads():
    data = teacher(rows=40)
    one, two = (
        asked(chain(4, 5, 1), data, Settings(threads=threads, effort=0.25, label_rows=12))
        for threads in (1, 2)
    )
    assert one.section() == two.section()


def test_several_classes_and_numbers_go_through_all_of_it():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(50, 3))
    three = asked(chain(3, 6, 3), data_of(rows, rows.argmax(axis=1), 3)).section()
    assert (three["rule"], three["outputs"], len(three["classes"])) == ("argmax", 3, 3)
    band = asked(chain(3, 6, 1), data_of(rows, np.tanh(rows[:, 0]))).section()
    assert (band["rule"], band["tolerance"], band["classes"]) == ("band", 0.5, None)
    assert band["random_label_floor"] is None
    for section in (three, band):
        assert section["status"] == "sampled"
        assert section["accepted_networks"] > 0
        assert section["guess_and_check_error"] <= section["majority_error"] + 0.15
        assert section["growth"]["points"][-1]["rows"] == 16
        assert section["expensive_at"]


def test_allowed_errors_lower_the_bits_and_weaken_the_bound():
    data = teacher()
    none, two = (
        asked(chain(4, 6, 1), data, Settings(threads=1, effort=0.25, label_rows=16, label_errors=k))
        for k in (0, 2)
    )
    assert two.true.bits < none.true.bits
    assert two.asking.errors_allowed == 2
    assert "2 may be wrong" in two.bound.error_bound_reason
    assert [point.errors for point in two.noise.errors_curve] == [0, 1, 2]


def test_contradictory_rows_are_named_and_never_sampled_for():
    rng = np.random.default_rng(2)
    rows = np.repeat(rng.normal(size=(12, 3)), 2, axis=0)
    labels = np.repeat(np.arange(12) % 2, 2)
    labels[3] ^= 1
    settings = Settings(threads=1, effort=0.25, label_rows=24, label_shuffles=2)
    section = asked(chain(3, 4, 1), data_of(rows, labels, 2), settings).section()
    assert section["bits"] is None
    assert section["status"] == "exact"
    assert [set(pair.values()) for pair in section["contradictions"]] == [{2, 3}]
    assert section["least_errors"] == 1
    assert section["error_bound"] is None
    assert section["verdict"]["answer"] == "no"
    assert "--errors 1" in section["verdict"]["next_step"]


def test_bad_input_is_refused_in_one_sentence():
    rng = np.random.default_rng(3)
    rows, net = rng.normal(size=(20, 4)), chain(4, 5, 1)
    assert "same" in refused(net, data_of(rows, np.zeros(20), 2))
    assert "no targets" in refused(net, Data(rows, None, None, (), "data.npz"))
    assert "two of each" in refused(net, data_of(rows[:3], [0, 1, 1], 2))
    broken = rows.copy()
    broken[2, 1] = np.nan
    assert "NaN" in refused(net, data_of(broken, np.arange(20) % 2, 2))
    allowed = Settings(label_errors=16, label_rows=16)
    assert "nothing is asked" in refused(net, data_of(rows, np.arange(20) % 2, 2), allowed)
    with pytest.raises(DataError, match="do not fit"):
        asked(net, data_of(rng.normal(size=(20, 5)), np.arange(20) % 2, 2))
    with pytest.raises(UsageError, match="unknown label law"):
        asked(net, teacher(rows=20), Settings(label_law="uniformly"))


def test_a_network_with_batch_statistics_is_refused():
    nodes = (
        Input("x", (4,)),
        Dense("a", ("x",), 5, "a.weight", "a.bias"),
        BatchNorm("n", ("a",), weight=None, bias=None, mean="n.mean", variance="n.var"),
        Dense("b", ("n",), 1, "b.weight", "b.bias"),
    )
    assert "statistics of a batch" in refused(Skeleton(nodes), teacher(rows=20))


def test_large_networks_get_fewer_rows_and_the_report_says_so():
    data = teacher(rows=90)
    wide = chain(4, 400, 1)
    settings = Settings(threads=1, effort=0.25, label_shuffles=2, label_training=False)
    from fpcheck.simplicity.problem import state_problem

    found = state_problem(network_of(wide), data, settings, None)
    assert 8 <= found.train.count < 64
    assert any("affordable" in note for note in found.notes)
    as_asked = state_problem(network_of(wide), data, Settings(label_rows=50, effort=0.25), None)
    assert as_asked.train.count == 50
