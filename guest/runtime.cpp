// SPDX-License-Identifier: GPL-2.0-or-later
// What the compiler takes for granted.
#include <cstddef>
#include <cstdint>

extern "C" {

int _fltused = 0;

void* memset(void* to, int value, std::size_t size)
{
    auto* at = static_cast<unsigned char*>(to);
    const auto byte = static_cast<unsigned char>(value);
    const auto word = 0x0101'0101'0101'0101 * std::uint64_t{byte};
    for (; size != 0 && reinterpret_cast<std::uintptr_t>(at) % 8 != 0; --size) {
        *at++ = byte;
    }
    for (; size >= 8; size -= 8, at += 8) {
        *reinterpret_cast<std::uint64_t*>(at) = word;
    }
    for (; size != 0; --size) {
        *at++ = byte;
    }
    return to;
}

void* memcpy(void* to, const void* from, std::size_t size)
{
    auto* out = static_cast<unsigned char*>(to);
    const auto* in = static_cast<const unsigned char*>(from);
    while (size-- != 0) {
        *out++ = *in++;
    }
    return to;
}

void* memmove(void* to, const void* from, std::size_t size)
{
    auto* out = static_cast<unsigned char*>(to);
    const auto* in = static_cast<const unsigned char*>(from);
    if (out < in) {
        return memcpy(to, from, size);
    }
    while (size-- != 0) {
        out[size] = in[size];
    }
    return to;
}

int memcmp(const void* a, const void* b, std::size_t size)
{
    const auto* x = static_cast<const unsigned char*>(a);
    const auto* y = static_cast<const unsigned char*>(b);
    for (; size != 0; --size, ++x, ++y) {
        if (*x != *y) {
            return *x < *y ? -1 : 1;
        }
    }
    return 0;
}

std::size_t strlen(const char* text)
{
    std::size_t n = 0;
    while (text[n] != 0) {
        ++n;
    }
    return n;
}

int strncmp(const char* a, const char* b, std::size_t size)
{
    for (; size != 0; --size, ++a, ++b) {
        if (*a != *b || *a == 0) {
            return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
        }
    }
    return 0;
}

// Large frames: the stack is there already.
void __chkstk(void);

// The Microsoft ABI's slot of a function that nobody overrode.
int _purecall(void)
{
    __builtin_trap();
}
}

asm(R"(
    .text
    .globl __chkstk
__chkstk:
    ret
)");
