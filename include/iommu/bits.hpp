// SPDX-License-Identifier: GPL-2.0-or-later
// The whole layout vocabulary: Field, Flag, Addr, Res0, Ignored, tiled.
#pragma once

#include <array>
#include <cassert>
#include <concepts>
#include <cstdint>
#include <utility>

namespace iommu {

// Not constexpr: reaching it at compile time is the error message.
void a_bit_is_missing_or_claimed_twice();

template <typename Self, unsigned Width>
class Descriptor {
    static_assert(Width == 32 || Width % 64 == 0);  // 32: a register
    static constexpr unsigned words = (Width + 63) / 64;

public:
    // Bits [Hi:Lo] as the manual prints them, counted from bit 0 of the structure.
    template <unsigned Hi, unsigned Lo, typename T = std::uint64_t>
    struct Field {
        static_assert(Hi >= Lo, "high bit first, as in the manual");
        static_assert(Hi < Width && Hi / 64 == Lo / 64, "inside one doubleword");
        using owner = Self;
        using value_type = T;
        static constexpr unsigned hi = Hi, lo = Lo, shift = Lo % 64;
        static constexpr std::uint64_t mask = (~0ull >> (63 - (Hi - Lo))) << shift;
        static constexpr bool reserved = false;
        static constexpr T decode(std::uint64_t w)
        {
            return static_cast<T>((w & mask) >> shift);
        }
        static constexpr std::uint64_t encode(T v)
        {
            return (static_cast<std::uint64_t>(v) << shift) & mask;
        }
    };

    template <unsigned Bit>
    using Flag = Field<Bit, Bit, bool>;

    // An address sits in place: bit n of the doubleword is bit n of the address.
    template <unsigned Hi, unsigned Lo, typename A>
    struct Addr : Field<Hi, Lo> {
        using value_type = A;
        static constexpr A decode(std::uint64_t w) { return A{w & Field<Hi, Lo>::mask}; }
        static constexpr std::uint64_t encode(A a)
        {
            return a.value & Field<Hi, Lo>::mask;
        }
    };

    template <unsigned Hi, unsigned Lo = Hi>
    struct Res0 : Field<Hi, Lo> {
        static constexpr bool reserved = true;
    };
    template <unsigned Hi, unsigned Lo = Hi>
    struct Ignored : Field<Hi, Lo> {
    };

    // Every bit belongs to exactly one field, listed from bit 0 up.
    template <typename... Fs>
    static consteval auto tiled(Fs...)
    {
        unsigned next = 0;
        const bool gapless = ((Fs::lo == next && (next = Fs::hi + 1, true)) && ...);
        if (!gapless || next != Width) {
            a_bit_is_missing_or_claimed_twice();
        }
        std::array<std::uint64_t, words> res0{};
        ((res0[Fs::lo / 64] |= Fs::reserved ? Fs::mask : 0), ...);
        return res0;
    }

    template <typename F>
    requires std::same_as<typename F::owner, Self>  // an STE refuses a CD's field
    constexpr typename F::value_type operator[](F) const
    {
        return F::decode(dword[F::lo / 64]);
    }

    template <typename F>
    requires std::same_as<typename F::owner, Self>
    constexpr Self with(F, typename F::value_type v) const
    {
        // A value that does not fit is a bug, never a truncation.
        assert(F::decode(F::encode(v)) == v);
        Self copy = static_cast<const Self&>(*this);
        auto& w = copy.dword[F::lo / 64];
        w = (w & ~F::mask) | F::encode(v);
        return copy;
    }

    constexpr bool res0_violated() const
    {
        std::uint64_t bad = 0;
        for (unsigned i = 0; i < words; ++i) {
            bad |= dword[i] & Self::layout[i];
        }
        return bad != 0;
    }

    std::array<std::uint64_t, words> dword{};
};

}  // namespace iommu
