"""A reader of pickles that calls nothing: opcodes turned into plain data, with bounds.

Every opcode either pushes inert data or looks a name up in the allow-list of `constructors`;
whatever would import, call or look into the process is refused by name. Work and memory are
bounded by the length of the pickle: the memo is a dictionary, so that an index costs nothing,
and lengths are held against the bytes that are left. [Python library, pickletools.py, which
documents every opcode]
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from fpcheck.network.load import pickle_calls as calls
from fpcheck.network.load.constructors import Constructor, constructor
from fpcheck.network.load.pickle_machine import MAX_OPCODES, Fault, Machine
from fpcheck.network.load.stored import Opaque

MAX_INTEGER_BYTES = 1024  # no state of a random generator is stored as one larger integer
MAX_DIGITS = 2400  # the same in decimal; conversion costs the square of the digits
MAX_KEY = 2**31  # larger integers as keys can be chosen to collide


def read_pickle(
    data: bytes, fault: Fault, lookup: Callable[[str], Constructor | None] = constructor
) -> object:
    """The object that `data` describes, of plain data, View and Opaque values.

    fault: makes the error to be raised from a message and a hint.
    lookup: the allow-list.

    Raises:
        ModelFileError: the pickle is damaged, over a bound, or names what is not allowed.
    """
    return run_pickle(Machine(data, fault, lookup=lookup))


def run_pickle(machine: Machine) -> object:
    """The object of the pickle at which `machine` stands; it then stands behind that pickle."""
    fault = machine.fault
    for _ in range(MAX_OPCODES):
        code = machine.take(1)[0]
        step = _STEPS.get(code)
        if step is None:
            raise fault(f"unknown opcode 0x{code:02x} in the pickle", "")
        step(machine)
        if machine.done:
            return machine.pop()
    raise fault(f"the pickle has more than {MAX_OPCODES} opcodes", calls.STATE_DICT_HINT)


def _push(value: object) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        machine.stack.append(value)

    return step


def _number(width: int, *, signed: bool = False) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        machine.stack.append(int.from_bytes(machine.take(width), "little", signed=signed))

    return step


def _long(width: int) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        length = machine.number(width)
        if length > MAX_INTEGER_BYTES:
            raise machine.fault(f"the pickle holds an integer of {length} bytes", "")
        machine.stack.append(int.from_bytes(machine.take(length), "little", signed=True))

    return step


def _text(width: int) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        raw = machine.take(machine.number(width))
        machine.stack.append(raw.decode("utf-8", "replace"))

    return step


def _bytes(width: int) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        machine.stack.append(machine.take(machine.number(width)))

    return step


def _line_number(machine: Machine) -> None:
    """INT and LONG of the text protocol; 00 and 01 are the booleans."""
    text = machine.line().removesuffix("L")
    if text in ("00", "01"):
        machine.stack.append(text == "01")
        return
    if len(text) > MAX_DIGITS:
        raise machine.fault(f"the pickle holds an integer of {len(text)} digits", "")
    try:
        machine.stack.append(int(text))
    except ValueError:
        raise machine.fault("the pickle holds an integer that is none", "") from None


def _line_float(machine: Machine) -> None:
    text = machine.line()
    try:
        machine.stack.append(float(text[:MAX_DIGITS]))
    except ValueError:
        raise machine.fault("the pickle holds a number that is none", "") from None


def _line_text(machine: Machine) -> None:
    """STRING and UNICODE of the text protocol, their escapes left as they are."""
    machine.stack.append(machine.line().strip("'\""))


def _float(machine: Machine) -> None:
    machine.stack.append(struct.unpack(">d", machine.take(8))[0])


def _protocol(machine: Machine) -> None:
    version = machine.number(1)
    if version > 5:
        raise machine.fault(f"pickle protocol {version} is not known", "")


def _frame(machine: Machine) -> None:
    if machine.number(8) > len(machine.data) - machine.place:
        machine.cut = True
        raise machine.fault("the pickle is cut off", "")


def _mark(machine: Machine) -> None:
    machine.open_mark()


def _stop(machine: Machine) -> None:
    machine.done = True


def _pop(machine: Machine) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.pop()


def _pop_mark(machine: Machine) -> None:
    machine.to_mark()


def _duplicate(machine: Machine) -> None:
    machine.stack.append(machine.top())


def _list(machine: Machine) -> None:
    machine.stack.append(machine.to_mark())


def _tuple(machine: Machine) -> None:
    machine.stack.append(tuple(machine.to_mark()))


def _short_tuple(length: int) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        items = [machine.pop() for _ in range(length)]
        machine.stack.append(tuple(reversed(items)))

    return step


def _dict(machine: Machine) -> None:
    items = machine.to_mark()
    machine.stack.append({})
    _set(machine, items)


def _frozen_set(machine: Machine) -> None:
    machine.to_mark()
    machine.stack.append(Opaque("frozenset"))


def _append(machine: Machine) -> None:
    _extend(machine, [machine.pop()])


def _appends(machine: Machine) -> None:
    _extend(machine, machine.to_mark())


def _extend(machine: Machine, items: list[object]) -> None:
    target = machine.top()
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Opaque):  # a set or a deque: its items are not kept
        raise machine.fault("the pickle appends to what is no list", "")


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _set(machine, [key, value])


def _set_items(machine: Machine) -> None:
    _set(machine, machine.to_mark())


def _set(machine: Machine, items: list[object]) -> None:
    """Entries for the dictionary on top. Only text and small integers name a tensor; entries
    under other keys are dropped, so that nothing of the file is ever hashed by its content."""
    target = machine.top()
    if not isinstance(target, dict | Opaque) or len(items) % 2:
        raise machine.fault("the pickle sets entries of what is no dictionary", "")
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is str or (type(key) is int and abs(key) < MAX_KEY):
                target[key] = value


def _put(width: int) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        machine.remember(machine.number(width))

    return step


def _memoize(machine: Machine) -> None:
    machine.remember(len(machine.memo))


def _get(width: int) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        machine.recall(machine.number(width))

    return step


def _line_index(machine: Machine) -> int:
    text = machine.line()
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise machine.fault("the pickle's memo index is no number", "")
    return int(text)


def _line_put(machine: Machine) -> None:
    machine.remember(_line_index(machine))


def _line_get(machine: Machine) -> None:
    machine.recall(_line_index(machine))


def _forbidden(what: str) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        raise machine.fault(f"the pickle takes {what}, which is refused", calls.STATE_DICT_HINT)

    return step


def _empty(kind: type) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        machine.stack.append(kind())

    return step


_extension = _forbidden("an object from the process's extension registry")
_buffer = _forbidden("a buffer from outside the file")

# fmt: off
_BY_LETTER: dict[bytes, Callable[[Machine], None]] = {
    b"\x80": _protocol, b"\x95": _frame, b".": _stop,
    b"(": _mark, b"0": _pop, b"1": _pop_mark, b"2": _duplicate,
    b"N": _push(None), b"\x88": _push(True), b"\x89": _push(False),
    b"I": _line_number, b"L": _line_number, b"F": _line_float, b"G": _float,
    b"J": _number(4, signed=True), b"K": _number(1), b"M": _number(2),
    b"\x8a": _long(1), b"\x8b": _long(4),
    b"S": _line_text, b"V": _line_text, b"T": _text(4), b"U": _text(1),
    b"\x8c": _text(1), b"X": _text(4), b"\x8d": _text(8),
    b"C": _bytes(1), b"B": _bytes(4), b"\x8e": _bytes(8), b"\x96": _bytes(8),
    b"]": _empty(list), b"}": _empty(dict), b")": _push(()), b"\x8f": _push(Opaque("set")),
    b"l": _list, b"d": _dict, b"t": _tuple, b"\x91": _frozen_set,
    b"\x85": _short_tuple(1), b"\x86": _short_tuple(2), b"\x87": _short_tuple(3),
    b"a": _append, b"e": _appends, b"\x90": _appends, b"s": _set_item, b"u": _set_items,
    b"p": _line_put, b"q": _put(1), b"r": _put(4), b"\x94": _memoize,
    b"g": _line_get, b"h": _get(1), b"j": _get(4),
    b"c": calls.global_, b"\x93": calls.stack_global, b"i": calls.inst, b"o": calls.obj,
    b"R": calls.reduce, b"\x81": calls.reduce, b"\x92": calls.new_object_with_names,
    b"b": calls.build, b"Q": calls.persistent,
    b"P": _forbidden("an object by a name outside the file"),
    b"\x82": _extension, b"\x83": _extension, b"\x84": _extension,
    b"\x97": _buffer, b"\x98": _buffer,
}
# fmt: on
_STEPS = {letter[0]: step for letter, step in _BY_LETTER.items()}
