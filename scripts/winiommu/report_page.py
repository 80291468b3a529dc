# SPDX-License-Identifier: GPL-2.0-or-later
"""A record as one HTML page that needs nothing else: no network, no server."""
import html
import json
import pathlib

from . import report_decode as decode
from .report_file import DEVICES, NONE

MOST = 20000  # of each kind on the page
MARK = "/*DATA*/"


def _hex(value):
    return f"0x{value:x}"


def _even(items):
    """At most MOST of them, spread over the whole."""
    step = max(1, -(-len(items) // MOST))
    return items[::step]


def _faults(record):
    for f in _even(record.faults):
        walk = [{"name": name, "at": _hex(at), "raw": [f"{w:016x}" for w in words],
                 "fields": [[key, str(value)] for key, value in fields]}
                for name, at, words, fields in decode.walk(record.device, f.walk)]
        yield {"ns": f.ns, "what": decode.name_of_fault(record.device, f.reason),
               "who": decode.name_of_requester(record.device, f.requester),
               "pasid": None if f.pasid == NONE else f.pasid, "address": _hex(f.address),
               "access": "write" if f.flags & 1 else "execute" if f.flags & 4 else "read",
               "raw": [f"{w:016x}" for w in f.words], "walk": walk}


def _maps(record):
    """The last state of each address, by domain."""
    spaces = {}
    for m in record.maps:
        name = decode.name_of_space(record.device, m.domain, m.space)
        spaces.setdefault(name, {})[m.address] = m
    for name, maps in sorted(spaces.items()):
        yield {"name": name, "maps": [[_hex(m.address), _hex(m.output), m.log2size, m.rights]
                                      for m in _even(sorted(maps.values(),
                                                            key=lambda m: m.address))]}


def data(record, title):
    device = record.device
    talkers = sorted(record.counts.items(), key=lambda item: -item[1][0])[:20]
    return {
        "title": title, "device": DEVICES[device], "started": record.started_ns // 1000000,
        "length": record.last_ns, "ended": record.ended, "cut": record.cut,
        "totals": {"commands": len(record.commands), "faults": len(record.faults),
                   "maps": len(record.maps), "findings": len(record.findings)},
        "faults": list(_faults(record)),
        "invalidations": [[ns, decode.name_of_command(device, low), f"{low:016x} {high:016x}"]
                          for ns, low, high in
                          _even([c for c in record.commands if decode.invalidates(device, c[1])])],
        "findings": [dict(finding, ns=ns) for ns, finding in record.findings],
        "spaces": list(_maps(record)),
        "talkers": [[decode.name_of_requester(device, requester), *counts]
                    for requester, counts in talkers],
    }


def page(record, title):
    template = pathlib.Path(__file__).with_name("report.html").read_text(encoding="utf-8")
    # "<" cannot end the script element, nor begin a comment in it.
    text = json.dumps(data(record, title)).replace("<", "\\u003c")
    return template.replace("TITLE", html.escape(title), 1).replace(MARK, text, 1)
