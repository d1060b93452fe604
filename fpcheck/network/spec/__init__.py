"""The spec: a TOML file that describes a network's skeleton and the laws of its weights."""

from fpcheck.network.spec.read import Spec, parse_spec, read_spec
from fpcheck.network.spec.recurrent import RecurrentLayer
from fpcheck.network.spec.templates import KINDS, schema, template

__all__ = ["KINDS", "RecurrentLayer", "Spec", "parse_spec", "read_spec", "schema", "template"]
