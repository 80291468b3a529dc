// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/runner.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "contract/test.hpp"

namespace iommu::contract {

namespace {

using Clock = std::chrono::steady_clock;

struct Verdict {
    Outcome outcome = Outcome::Failed;
    char message[1024] = {};
};

// What the child sends: begins a rule, or ends one.
struct Note {
    std::uint32_t index = 0;
    bool finished = false;
    Verdict verdict{};
};

Verdict check(Home& home, const Rule& rule)
{
    Verdict v;
    if (const char* error = home.start(); error != nullptr) {
        std::strncpy(v.message, error, sizeof(v.message) - 1);
        return v;
    }
    Test test(home, v.message, sizeof(v.message));
    rule.check(test);
    v.outcome = test.outcome(rule.tag);
    home.stop();
    return v;
}

Result to_result(const Rule& rule, const Verdict& v)
{
    return {&rule, v.outcome, v.message};
}

bool send(int fd, const Note& note)
{
    const auto* bytes = reinterpret_cast<const char*>(&note);
    return write(fd, bytes, sizeof(note)) == static_cast<ssize_t>(sizeof(note));
}

[[noreturn]] void child(const MakeHome& make_home, const std::vector<const Rule*>& rules,
                        std::size_t from, int fd)
{
    std::string error;
    auto home = make_home(error);
    for (auto i = from; i < rules.size(); ++i) {
        Note note;
        note.index = static_cast<std::uint32_t>(i);
        send(fd, note);
        note.finished = true;
        if (home == nullptr) {
            std::strncpy(note.verdict.message, error.c_str(),
                         sizeof(note.verdict.message) - 1);
        } else {
            note.verdict = check(*home, *rules[i]);
        }
        send(fd, note);
    }
    _exit(0);
}

enum class Read : std::uint8_t { Note, End, Timeout };

Read receive(int fd, Note& note, Clock::time_point deadline)
{
    auto* at = reinterpret_cast<char*>(&note);
    for (std::size_t have = 0; have < sizeof(note);) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - Clock::now());
        pollfd p{fd, POLLIN, 0};
        const int ready = poll(&p, 1, std::max<int>(0, static_cast<int>(left.count())));
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready == 0) {
            return Read::Timeout;
        }
        const auto got = read(fd, at + have, sizeof(note) - have);
        if (got <= 0) {
            return Read::End;
        }
        have += static_cast<std::size_t>(got);
    }
    return Read::Note;
}

std::string how_it_ended(int status)
{
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        return std::string("the provider crashed: signal ") + std::to_string(number) +
               " (" + strsignal(number) + ")";
    }
    return "the provider ended the process with status " +
           std::to_string(WEXITSTATUS(status));
}

// A process that runs the rules from `from` on, and where it says how they went.
struct Worker {
    pid_t pid = -1;  // -1: there is none
    int from = -1;
};
Worker begin(const MakeHome& make_home, const std::vector<const Rule*>& rules,
             std::size_t from)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return {};
    }
    const auto pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(make_home, rules, from, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return {};
    }
    return {pid, ends[0]};
}

// One child; returns the index of the rule after the last that has a result.
std::size_t run_child(const MakeHome& make_home, const std::vector<const Rule*>& rules,
                      std::size_t from, const RunOptions& options,
                      std::vector<Result>& results, bool& stop, unsigned& hangs)
{
    const auto worker = begin(make_home, rules, from);
    if (worker.pid < 0) {
        results.push_back({rules[from], Outcome::Failed, "no process for the rule"});
        return from + 1;
    }
    auto next = from;
    const auto limit = std::chrono::seconds(options.seconds);
    bool killed = false;
    while (next < rules.size() && !stop) {
        Note note;
        const auto read = receive(worker.from, note, Clock::now() + limit);
        if (read == Read::Note && note.finished) {
            results.push_back(to_result(*rules[note.index], note.verdict));
            next = note.index + 1;
            const auto outcome = results.back().outcome;
            stop = options.stop_at_failure &&
                   (outcome == Outcome::Failed || outcome == Outcome::ProposalFailed);
        } else if (read == Read::Timeout) {
            results.push_back({rules[next], Outcome::Failed,
                               "no answer within " + std::to_string(options.seconds) +
                                   " s: the provider hangs"});
            ++next;
            ++hangs;
            killed = true;
            break;
        } else if (read == Read::End) {
            break;
        }
    }
    if (killed || stop) {
        kill(worker.pid, SIGKILL);
    }
    close(worker.from);
    int status = 0;
    waitpid(worker.pid, &status, 0);
    if (!killed && !stop && next < rules.size()) {
        results.push_back({rules[next], Outcome::Failed, how_it_ended(status)});
        ++next;
        killed = true;
    }
    stop = stop || (killed && options.stop_at_failure);
    return next;
}

}  // namespace

std::vector<Result> run_rules(const MakeHome& make_home, const RunOptions& options)
{
    std::vector<const Rule*> checked;
    std::vector<Result> results;
    const auto all = all_rules();
    for (std::size_t i = 0; i < all.count; ++i) {
        const auto& rule = all.rule[i];
        const auto& only = options.only;
        if (!only.empty() &&
            std::find(only.begin(), only.end(), rule.number) == only.end()) {
            continue;
        }
        if (rule.check == nullptr) {
            results.push_back({&rule, Outcome::NotApplicable, rule.unobserved});
        } else {
            checked.push_back(&rule);
        }
    }
    if (options.own_process) {
        bool stop = false;
        unsigned hangs = 0;
        std::size_t i = 0;
        while (i < checked.size() && !stop && hangs < options.most_hangs) {
            i = run_child(make_home, checked, i, options, results, stop, hangs);
        }
        for (; i < checked.size() && !stop; ++i) {
            results.push_back({checked[i], Outcome::Failed,
                               "not run: the provider hung in " + std::to_string(hangs) +
                                   " rules before"});
        }
    } else {
        std::string error;
        auto home = make_home(error);
        for (const auto* rule : checked) {
            results.push_back(home == nullptr ? Result{rule, Outcome::Failed, error}
                                              : to_result(*rule, check(*home, *rule)));
        }
    }
    std::sort(results.begin(), results.end(), [](const Result& a, const Result& b) {
        return a.rule->number < b.rule->number;
    });
    return results;
}

}  // namespace iommu::contract
