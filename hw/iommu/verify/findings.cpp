// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/verify/findings.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace iommu::verify {

namespace {

std::string hex(std::uint64_t value)
{
    char text[24];
    std::snprintf(text, sizeof text, "0x%" PRIx64, value);
    return text;
}

std::string quoted(const std::string& text)
{
    return "\"" + text + "\"";  // ours alone: nothing to escape
}

std::string number(const Fact& fact)
{
    return fact.kind == Fact::Kind::Hex ? quoted(hex(fact.value))
                                        : std::to_string(fact.value);
}

}  // namespace

Finding* Findings::known(Rule rule, std::uint64_t cause)
{
    const auto same = [&](const Finding& f) {
        return f.rule == rule && f.cause == cause;
    };
    if (const auto f = std::find_if(found_.begin(), found_.end(), same);
        f != found_.end()) {
        return &*f;
    }
    const auto s = std::find_if(suspected_.begin(), suspected_.end(),
                                [&](const Suspected& p) { return same(p.finding); });
    return s != suspected_.end() ? &s->finding : nullptr;
}

void Findings::add(Finding finding)
{
    if (auto* same = known(finding.rule, finding.cause)) {
        ++same->count;
        same->last_ns = finding.last_ns;
        return;
    }
    if (found_.size() >= capacity) {
        ++lost_;
        return;
    }
    finding.told = true;
    found_.push_back(std::move(finding));
    tell_(found_.back());
}

void Findings::suspect(Finding finding)
{
    if (auto* same = known(finding.rule, finding.cause)) {
        ++same->count;
        same->last_ns = finding.last_ns;
        return;
    }
    if (suspected_.size() >= suspects) {
        promote(0);  // the oldest has waited longest
    }
    suspected_.push_back({std::move(finding), 0});
}

void Findings::promote(std::size_t index)
{
    auto finding = std::move(suspected_[index].finding);
    suspected_.erase(suspected_.begin() + static_cast<std::ptrdiff_t>(index));
    add(std::move(finding));
}

void Findings::withdraw(const Invalidation& by)
{
    withdrawn_ += std::erase_if(
        suspected_, [&](const Suspected& s) { return by.covers(s.finding.subject); });
    for (auto& s : suspected_) {
        auto& list = s.finding.invalidations;
        if (list.size() < 8) {
            list.push_back(by);
        }
    }
}

// Interrupts arrive while software is about to invalidate what they use: only time tells.
void Findings::wait_completed()
{
    for (std::size_t i = 0; i < suspected_.size();) {
        auto& s = suspected_[i];
        const bool counts = s.finding.subject.what != Cached::Interrupt;
        if (counts && ++s.waits >= due_waits) {
            promote(i);
        } else {
            ++i;
        }
    }
}

void Findings::settle(std::uint64_t now_ns)
{
    for (std::size_t i = 0; i < suspected_.size();) {
        if (now_ns - suspected_[i].finding.first_ns >= due_ns) {
            promote(i);
        } else {
            ++i;
        }
    }
}

void Findings::settle_all()
{
    while (!suspected_.empty()) {
        promote(0);
    }
}

std::string Findings::line(const Finding& f)
{
    const auto& rule = text_of(f.rule);
    std::string out = std::string(rule.id) + ": " + rule.sentence;
    const char* separator = ": ";
    for (const auto& fact : f.facts) {
        out += separator;
        out += fact.name;
        out += " ";
        out +=
            fact.kind == Fact::Kind::Hex ? hex(fact.value) : std::to_string(fact.value);
        separator = ", ";
    }
    return out + " (" + rule.manual + ")";
}

std::string Findings::json(const Finding& f)
{
    const auto& rule = text_of(f.rule);
    std::string out = "{\"id\": " + quoted(rule.id) +
                      ", \"sentence\": " + quoted(rule.sentence) +
                      ", \"manual\": " + quoted(rule.manual) +
                      ", \"count\": " + std::to_string(f.count) +
                      ", \"first-ns\": " + std::to_string(f.first_ns) +
                      ", \"last-ns\": " + std::to_string(f.last_ns) + ", \"evidence\": {";
    const char* separator = "";
    for (const auto& fact : f.facts) {
        out += separator + quoted(fact.name) + ": " + number(fact);
        separator = ", ";
    }
    out += "}, \"invalidations\": [";
    separator = "";
    for (const auto& i : f.invalidations) {
        out += separator;
        out += "{\"name\": " + quoted(i.name) + ", \"ns\": " + std::to_string(i.ns) +
               ", \"words\": [" + quoted(hex(i.words[0])) + ", " +
               quoted(hex(i.words[1])) + "]}";
        separator = ", ";
    }
    return out + "]}";
}

std::string Findings::json() const
{
    std::string out = "{\"findings\": [";
    const char* separator = "";
    for (const auto& f : found_) {
        out += separator + json(f);
        separator = ", ";
    }
    return out + "], \"lost\": " + std::to_string(lost_) +
           ", \"withdrawn\": " + std::to_string(withdrawn_) +
           ", \"suspected\": " + std::to_string(suspected_.size()) + "}";
}

}  // namespace iommu::verify
