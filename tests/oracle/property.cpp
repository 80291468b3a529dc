// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/oracle/property.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdlib>

namespace oracle {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise)
{
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

}  // namespace

std::string text_of(const Request& r)
{
    char line[160];
    std::snprintf(line, sizeof line,
                  "requester %#x substream %s%#x %s %s %s at %#" PRIx64, r.requester,
                  r.attributes & WI_SUBSTREAM ? "" : "none/", r.substream,
                  r.attributes & WI_WRITE ? "write" : "read",
                  r.attributes & WI_PRIVILEGED ? "privileged" : "user",
                  r.attributes & WI_INSTRUCTION ? "instruction" : "data", r.address);
    return line;
}

std::string text_of(const std::uint64_t* record, std::size_t doublewords)
{
    std::string text;
    for (std::size_t i = 0; i < doublewords; ++i) {
        char word[20];
        std::snprintf(word, sizeof word, "%s%016" PRIx64, i == 0 ? "" : " ", record[i]);
        text += word;
    }
    return text;
}

std::string text_of(bool passes, std::uint64_t output)
{
    char line[40];
    std::snprintf(line, sizeof line, "%s %#" PRIx64, passes ? "passes to" : "refuses",
                  output);
    return line;
}

std::string text_of_block(const WiTranslation& t)
{
    char line[60];
    std::snprintf(line, sizeof line, " mask %#" PRIx64 " r%d w%d", t.mask, t.read,
                  t.write);
    return line;
}

std::uint64_t cases_wanted(unsigned variants)
{
    return from_environment("ORACLE_CASES", 120000) / variants + 1;
}

std::uint64_t first_seed()
{
    return from_environment("ORACLE_SEED", 20240229);
}

void print(const char* name, std::uint64_t from, std::uint64_t to, const Tally& tally)
{
    std::printf("%s: seeds %" PRIu64 "..%" PRIu64 ", %" PRIu64 " compared (%" PRIu64
                " passed, %" PRIu64 " silent, %" PRIu64 " left open by the manual)",
                name, from, to, tally.compared, tally.passed, tally.silent, tally.wild);
    for (const auto& [number, count] : tally.numbers) {
        std::printf(" %02x:%" PRIu64, number, count);
    }
    std::printf("\nwalk: %" PRIu64 " told, %" PRIu64 " beside caches, %" PRIu64
                " nested\n",
                tally.told, tally.cached, tally.nested);
}

std::string test_name(std::string variant)
{
    std::replace(variant.begin(), variant.end(), '-', '_');
    return variant;
}

}  // namespace oracle
