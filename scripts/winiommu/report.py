# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened at an IOMMU, from the record it wrote: a summary and a page."""
import collections
import datetime
import pathlib

from . import report_decode as decode, report_file, report_page, ui

SUMMARY = "say what a device's record holds, and write it as one HTML page"


def arguments(parser):
    parser.add_argument("file", metavar="FILE", type=pathlib.Path,
                        help="written by -device winiommu-smmuv3,record=FILE or winiommu-vtd")
    parser.add_argument("--html", metavar="PAGE", type=pathlib.Path,
                        help="where the page goes (default: FILE.html)")
    parser.add_argument("--no-html", action="store_true", help="the summary only")


def _when(record):
    begun = datetime.datetime.fromtimestamp(record.started_ns / 1e9, datetime.timezone.utc)
    return f"{begun:%Y-%m-%d %H:%M:%S} UTC, {record.last_ns / 1e9:.1f} s"


def evidence(finding):
    return ", ".join(f"{name} {value}" for name, value in finding["evidence"].items())


def summary(record):
    """Lines of text."""
    device = record.device
    yield f"{report_file.DEVICES[device]}, {_when(record)}"
    if record.cut or not record.ended:
        yield ("the record has no end: QEMU still runs, or crashed"
               + (f" while writing {record.cut} bytes" if record.cut else ""))
    names = collections.Counter(decode.name_of_command(device, low) for _, low, _ in record.commands)
    yield f"commands    {len(record.commands)}"
    for name, count in names.most_common(12):
        yield f"  {count:8}  {name}"
    yield f"mappings    {len(record.maps)}"
    spaces = collections.Counter((m.domain, m.space) for m in record.maps)
    for (domain, space), count in spaces.most_common(12):
        yield f"  {count:8}  {decode.name_of_space(device, domain, space)}"
    yield "requesters"
    for requester, (accesses, refused) in sorted(record.counts.items(),
                                                 key=lambda item: -item[1][0])[:12]:
        yield (f"  {accesses:8}  {decode.name_of_requester(device, requester)}"
               f"{f', {refused} refused' if refused else ''}")
    yield f"faults      {len(record.faults)}"
    faults = collections.Counter((f.reason, f.requester) for f in record.faults)
    for (reason, requester), count in faults.most_common(12):
        yield (f"  {count:8}  {decode.name_of_fault(device, reason)}, "
               f"{decode.name_of_requester(device, requester)}")
    yield f"findings    {len(record.findings)}"
    for ns, finding in record.findings:
        yield f"  {ns / 1e9:8.3f} s  {finding['id']}: {finding['sentence']}"
        yield f"             {evidence(finding)}"
        yield f"             {finding['manual']}"


def run(args):
    record = report_file.read(args.file)
    for line in summary(record):
        ui.say(line)
    if not args.no_html:
        page = args.html or args.file.with_name(args.file.name + ".html")
        page.write_text(report_page.page(record, args.file.name), encoding="utf-8")
        ui.say(f"page        {page}")
    return 0
