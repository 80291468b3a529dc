// SPDX-License-Identifier: GPL-2.0-or-later
// A value or the reason there is none.  Small, constexpr, and it cannot be ignored.
#pragma once

#include <cassert>
#include <type_traits>
#include <utility>

namespace iommu {

template <typename E>
struct Unexpected {
    E error;
};
template <typename E>
Unexpected(E) -> Unexpected<E>;

template <typename T, typename E>
class [[nodiscard]] Expected {
    static_assert(std::is_trivially_destructible_v<T> &&
                      std::is_trivially_destructible_v<E>,
                  "plain values only: this type travels on the translate path");

public:
    constexpr Expected(T v) : value_(v), ok_(true) {}
    constexpr Expected(Unexpected<E> u) : error_(u.error), ok_(false) {}

    constexpr explicit operator bool() const { return ok_; }
    constexpr const T& operator*() const
    {
        assert(ok_);
        return value_;
    }
    constexpr const T* operator->() const { return &**this; }
    constexpr const E& error() const
    {
        assert(!ok_);
        return error_;
    }

private:
    union {
        T value_;
        E error_;
    };
    bool ok_;
};

}  // namespace iommu
