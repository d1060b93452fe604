"""Names and calls in a pickle: looked up in the allow-list, or refused by name. Never called."""

from __future__ import annotations

from fpcheck.core.errors import ModelFileError
from fpcheck.network.load.constructors import (
    REFUSED_TENSORS,
    Attributes,
    BadArgumentsError,
    Constructor,
    View,
    storage_of,
)
from fpcheck.network.load.files import shown
from fpcheck.network.load.pickle_machine import Machine
from fpcheck.network.load.stored import Opaque

STATE_DICT_HINT = (
    "save the weights alone: torch.save(model.state_dict(), 'weights.pt'), or a .safetensors file"
)


def find(machine: Machine, module: str, name: str) -> None:
    """Push the allow-list's entry for a global name, or refuse it by that name."""
    full = f"{module}.{name}"
    found = machine.lookup(full)
    if found is None:
        raise _refused(machine, full)
    machine.stack.append(found)


def _refused(machine: Machine, full: str) -> ModelFileError:
    label = shown(full)
    module, _, name = full.rpartition(".")
    if module in ("torch", "torch._utils", "torch._tensor") and name in REFUSED_TENSORS:
        what, remedy = REFUSED_TENSORS[name]
        return machine.fault(f"holds {what}, which is not read ('{label}')", remedy)
    # What torch.save(model) leaves behind: the class, and the attributes of every torch.nn.Module.
    if module.startswith("torch.nn.modules") or (
        b"_parameters" in machine.data and b"_modules" in machine.data
    ):
        return machine.fault(
            f"holds a whole model, pickled with its class '{label}', not its weights alone",
            STATE_DICT_HINT,
        )
    return machine.fault(
        f"the file wants to call '{label}', which no tensor needs; nothing was called",
        STATE_DICT_HINT,
    )


def global_(machine: Machine) -> None:
    """GLOBAL: a name on two lines."""
    module = machine.line()
    find(machine, module, machine.line())


def stack_global(machine: Machine) -> None:
    """STACK_GLOBAL: a name from the stack."""
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise machine.fault("the pickle names a constructor by something else than text", "")
    find(machine, module, name)


def inst(machine: Machine) -> None:
    """INST: a name on two lines, called with what lies above the mark."""
    module = machine.line()
    find(machine, module, machine.line())
    found = machine.stack.pop()
    _call(machine, found, tuple(machine.to_mark()))


def obj(machine: Machine) -> None:
    """OBJ: what lies above the mark, the first of it called with the rest."""
    items = machine.to_mark()
    if not items:
        raise machine.fault("the pickle builds an object of no class", "")
    _call(machine, items[0], tuple(items[1:]))


def reduce(machine: Machine) -> None:
    """REDUCE and NEWOBJ: a constructor and its tuple of arguments."""
    arguments = machine.pop()
    _call(machine, machine.pop(), arguments)


def new_object_with_names(machine: Machine) -> None:
    """NEWOBJ_EX: as NEWOBJ, with named arguments, of which there may be none."""
    names, arguments = machine.pop(), machine.pop()
    if names != {}:
        raise machine.fault("the pickle calls a constructor with named arguments", "")
    _call(machine, machine.pop(), arguments)


def _call(machine: Machine, found: object, arguments: object) -> None:
    """Push what the allow-list makes of a constructor and its arguments."""
    if not isinstance(found, Constructor):
        raise machine.fault("the pickle calls what is no constructor", STATE_DICT_HINT)
    if found.build is None or not isinstance(arguments, tuple):
        raise machine.fault(f"the file wants to call '{found.name}', which is refused", "")
    try:
        machine.stack.append(found.build(arguments))
    except BadArgumentsError as error:
        raise machine.fault(f"'{found.name}' is given {error}", "") from None


def build(machine: Machine) -> None:
    """BUILD: attributes for the object below; dropped, but for a module of a program, since what
    they would change is inert."""
    state = machine.pop()
    target = machine.top()
    if isinstance(target, Attributes) and isinstance(state, dict):
        target.update(state)
    elif not isinstance(target, dict | Opaque | View):
        raise machine.fault(
            f"the pickle sets the state of a {type(target).__name__.lower()}", STATE_DICT_HINT
        )


def persistent(machine: Machine) -> None:
    """BINPERSID: a storage by its persistent id."""
    try:
        storage = storage_of(machine.pop())
    except BadArgumentsError as error:
        raise machine.fault(f"the pickle holds {error}", STATE_DICT_HINT) from None
    if machine.storages.setdefault(storage.key, storage) != storage:
        raise machine.fault(f"storage {shown(storage.key)} is described in two ways", "")
    machine.stack.append(storage)
