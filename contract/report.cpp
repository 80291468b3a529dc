// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/report.hpp"

#include <map>

namespace iommu::contract {

namespace {

const char* word(Outcome outcome)
{
    switch (outcome) {
    case Outcome::Passed:
        return "passed";
    case Outcome::Failed:
        return "failed";
    case Outcome::ProposalFailed:
        return "proposal-failed";
    case Outcome::NotApplicable:
        break;
    }
    return "not-applicable";
}

std::string escaped(const std::string& text, bool xml)
{
    std::string out;
    for (const char c : text) {
        if (xml && c == '<') {
            out += "&lt;";
        } else if (xml && c == '>') {
            out += "&gt;";
        } else if (xml && c == '&') {
            out += "&amp;";
        } else if (xml && c == '"') {
            out += "&quot;";
        } else if (!xml && (c == '"' || c == '\\')) {
            out += '\\';
            out += c;
        } else {
            out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
    }
    return out;
}

bool is_failure(Outcome outcome, bool strict)
{
    return outcome == Outcome::Failed || (strict && outcome == Outcome::ProposalFailed);
}

std::string name(const Rule& rule)
{
    return "rule-" + std::to_string(rule.number);
}

void add(Totals& totals, Outcome outcome)
{
    switch (outcome) {
    case Outcome::Passed:
        ++totals.passed;
        break;
    case Outcome::Failed:
        ++totals.failed;
        break;
    case Outcome::ProposalFailed:
        ++totals.proposals_failed;
        break;
    case Outcome::NotApplicable:
        ++totals.not_applicable;
        break;
    }
}

void write_counts(std::ostream& out, const Totals& t)
{
    out << t.passed << " passed, " << t.failed << " failed, " << t.proposals_failed
        << " proposals failed, " << t.not_applicable << " not applicable\n";
}

}  // namespace

Totals count(const std::vector<Result>& results)
{
    Totals totals;
    for (const auto& r : results) {
        add(totals, r.outcome);
    }
    return totals;
}

void write_summary(std::ostream& out, const std::string& title,
                   const std::vector<Result>& results)
{
    std::map<char, Totals> sections;
    for (const auto& r : results) {
        add(sections[r.rule->section], r.outcome);
    }
    out << title << "\n";
    for (const auto& [section, totals] : sections) {
        std::string head = std::string(1, section) + ". " + section_title(section);
        head.resize(46, ' ');
        out << "  " << head << " ";
        write_counts(out, totals);
    }
    for (const auto outcome : {Outcome::Failed, Outcome::ProposalFailed}) {
        for (const auto& r : results) {
            if (r.outcome == outcome) {
                out << "  " << word(outcome) << " " << name(*r.rule) << " ["
                    << static_cast<char>(r.rule->tag) << "] " << r.message << "\n";
            }
        }
    }
    for (const auto& r : results) {
        if (r.outcome == Outcome::NotApplicable) {
            out << "  not applicable " << name(*r.rule) << ": " << r.message << "\n";
        }
    }
    out << "  ";
    write_counts(out, count(results));
}

void write_tap(std::ostream& out, const std::vector<Result>& results, bool strict)
{
    out << "TAP version 13\n1.." << results.size() << "\n";
    unsigned n = 0;
    for (const auto& r : results) {
        const bool apart = !strict && r.outcome == Outcome::ProposalFailed;
        const bool ok = !is_failure(r.outcome, strict);
        out << (ok ? "ok " : "not ok ") << ++n << " - " << name(*r.rule) << " ["
            << static_cast<char>(r.rule->tag) << "] " << r.rule->section;
        if (r.outcome == Outcome::NotApplicable) {
            out << " # SKIP " << r.message;
        } else if (apart) {
            out << " # SKIP proposal not met: " << r.message;
        }
        out << "\n";
        if (is_failure(r.outcome, strict)) {
            out << "  ---\n  message: \"" << escaped(r.message, false) << "\"\n  rule: \""
                << escaped(r.rule->title, false) << "\"\n  ...\n";
        }
    }
}

void write_junit(std::ostream& out, const std::string& title,
                 const std::vector<Result>& results, bool strict)
{
    unsigned failures = 0, skipped = 0;
    for (const auto& r : results) {
        failures += is_failure(r.outcome, strict) ? 1 : 0;
        skipped += r.outcome == Outcome::NotApplicable ? 1 : 0;
    }
    out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\""
        << escaped(title, true) << "\" tests=\"" << results.size() << "\" failures=\""
        << failures << "\" skipped=\"" << skipped << "\">\n";
    for (const auto& r : results) {
        out << "  <testcase name=\"" << name(*r.rule) << "\" classname=\"contract."
            << r.rule->section << "." << static_cast<char>(r.rule->tag) << "\">";
        const auto message = escaped(r.message, true);
        if (is_failure(r.outcome, strict)) {
            out << "<failure message=\"" << message << "\"/>";
        } else if (r.outcome == Outcome::NotApplicable) {
            out << "<skipped message=\"" << message << "\"/>";
        } else if (r.outcome == Outcome::ProposalFailed) {
            out << "<system-out>proposal failed: " << message << "</system-out>";
        }
        out << "</testcase>\n";
    }
    out << "</testsuite>\n";
}

void write_json(std::ostream& out, const std::string& title,
                const std::vector<Result>& results)
{
    const auto t = count(results);
    out << "{\"machine\": \"" << escaped(title, false) << "\", \"passed\": " << t.passed
        << ", \"failed\": " << t.failed
        << ", \"proposals_failed\": " << t.proposals_failed
        << ", \"not_applicable\": " << t.not_applicable
        << ", \"rules_known\": " << all_rules().count << ", \"sections\": {";
    const char* separator = "";
    for (char section = 'A'; *section_title(section) != 0; ++section) {
        out << separator << "\"" << section << "\": \""
            << escaped(section_title(section), false) << "\"";
        separator = ", ";
    }
    out << "}, \"rules\": [";
    separator = "\n";
    for (const auto& r : results) {
        out << separator << "  {\"name\": \"" << name(*r.rule) << "\", \"tag\": \""
            << static_cast<char>(r.rule->tag) << "\", \"section\": \"" << r.rule->section
            << "\", \"outcome\": \"" << word(r.outcome) << "\", \"message\": \""
            << escaped(r.message, false) << "\"}";
        separator = ",\n";
    }
    out << "\n]}\n";
}

void write_rst(std::ostream& out)
{
    const auto all = all_rules();
    unsigned checked = 0;
    for (std::size_t i = 0; i < all.count; ++i) {
        checked += all.rule[i].check != nullptr ? 1 : 0;
    }
    out << ".. SPDX-License-Identifier: GPL-2.0-or-later\n"
           ".. Written by: winiommu-contract --rules.  Edit contract/catalogue.\n\n"
           "The rules of the contract\n=========================\n\n"
        << all.count << " rules, " << checked
        << " of them with a check that the suite runs.  The letter says where a rule "
           "comes\n"
           "from: **D** Microsoft's reference pages, **H** its headers, **L** layouts in "
           "its\n"
           "public symbols, **G** its guides; **S** and **I** are proposals of this "
           "project\n"
           "where Microsoft's texts are silent, and no statement about Windows.  "
           "STATUS_IN_USE\n"
           "is an alias, see ``include/wdm/ntstatus.h``.  IP is short for\n"
           "STATUS_INVALID_PARAMETER, IP\\_n for the one with number n.\n";
    char section = 0;
    for (std::size_t i = 0; i < all.count; ++i) {
        const auto& r = all.rule[i];
        if (r.section != section) {
            section = r.section;
            const auto head = std::string(1, section) + ". " + section_title(section);
            out << "\n" << head << "\n" << std::string(head.size(), '-') << "\n\n";
        }
        std::string title;
        for (const char* c = r.title; *c != 0; ++c) {
            title += *c == '*' || *c == '|' || *c == '_' ? "\\" : "";
            title += *c;
        }
        out << "``rule-" << r.number << "`` **[" << static_cast<char>(r.tag) << "]** "
            << title << "\n";
        if (r.check == nullptr) {
            out << "   *Not applicable: " << r.unobserved << ".*\n";
        }
        out << "\n";
    }
}

}  // namespace iommu::contract
