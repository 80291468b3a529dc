# SPDX-License-Identifier: GPL-2.0-or-later
"""Pretty printers of the core's types, for a gdb attached to the QEMU process: `source scripts/gdb/printers.py`."""
import re

import gdb
import gdb.printing


class _Address:
    """Iova, Ipa, Gpa."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        tag = re.sub(r"^.*<.*?(\w+)Tag>$", r"\1", str(self._value.type.strip_typedefs()))
        return f"{tag} {int(self._value['value']):#x}"


class _Rights:
    def __init__(self, value):
        self._value = value

    def to_string(self):
        bits = int(self._value["bits"])
        letters = "".join(letter if bits >> n & 1 else "-" for n, letter in enumerate("rwxrwx"))
        return f"user {letters[:3]} privileged {letters[3:]}"


class _Substream:
    def __init__(self, value):
        self._value = value

    def to_string(self):
        return f"{int(self._value['value']):#x}" if self._value["present"] else "none"


class _Expected:
    """A value, or why there is none."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        return "a value" if self._value["ok_"] else "no value"

    def children(self):
        name = "value_" if self._value["ok_"] else "error_"
        yield name, self._value[name]


class _Descriptor:
    """STE, CD, root, context and all other structures of spec/: their doublewords."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        array = self._value["dword"]["_M_elems"]
        low, high = array.type.strip_typedefs().range()
        words = [f"{int(array[n]):#018x}" for n in range(low, high + 1)]
        return f"{self._value.type.strip_typedefs().name.rpartition('::')[2]} {' '.join(words)}"


def _is_descriptor(kind):
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return False
    return any(field.is_base_class and str(field.type.strip_typedefs()).startswith("iommu::Descriptor<")
               for field in kind.fields())


class _Printer(gdb.printing.RegexpCollectionPrettyPrinter):
    def __call__(self, value):
        if _is_descriptor(value.type.strip_typedefs()):
            return _Descriptor(value)
        return super().__call__(value)


def _build():
    printer = _Printer("winiommu")
    printer.add_printer("Address", r"^iommu::Address<.*>$", _Address)
    printer.add_printer("Rights", r"^iommu::Rights$", _Rights)
    printer.add_printer("Substream", r"^iommu::Substream$", _Substream)
    printer.add_printer("Expected", r"^iommu::Expected<.*>$", _Expected)
    return printer


gdb.printing.register_pretty_printer(None, _build(), replace=True)
