// SPDX-License-Identifier: GPL-2.0-or-later
// How a device answers questions: a table of them, looked through alike for both devices.
#pragma once

#include "hw/iommu/introspect/arguments.hpp"
#include "hw/iommu/introspect/json.hpp"

namespace iommu::introspect {

// `keys`: those the question knows, as Arguments::parse takes them.  `refusal`: why this
// device does not answer it; then there is no `answer`.
template <typename Views>
struct Question {
    std::string_view topic;
    std::string_view keys;
    void (*answer)(Views& views, Arguments& arguments, Json& json) = nullptr;
    std::string_view refusal{};
};

// True: `answer` is JSON; false: one line that says what is wrong.
template <typename Views, std::size_t N>
bool ask(Views& views, const Question<Views> (&questions)[N], std::string_view topic,
         std::string_view text, std::string& answer)
{
    Json json;
    std::string error = "there is no such question";
    for (const auto& question : questions) {
        if (question.topic != topic) {
            continue;
        }
        Arguments arguments;
        error = question.answer == nullptr ? std::string(question.refusal)
                                           : arguments.parse(text, question.keys);
        if (error.empty()) {
            question.answer(views, arguments, json);
            error = arguments.error();
        }
        break;
    }
    answer = error.empty() ? json.str() : std::string(topic) + ": " + error;
    return error.empty();
}

}  // namespace iommu::introspect
