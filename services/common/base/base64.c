#include "services/common/base/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct strbuf *out, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    strbuf_reserve(out, (length + 2) / 3 * 4);
    for (; length; at += 3) {
        size_t taken = length < 3 ? length : 3;
        uint32_t group = (uint32_t)at[0] << 16;
        group |= taken > 1 ? (uint32_t)at[1] << 8 : 0;
        group |= taken > 2 ? at[2] : 0;
        char text[4] = {digits[group >> 18], digits[group >> 12 & 63], taken > 1 ? digits[group >> 6 & 63] : '=',
                        taken > 2 ? digits[group & 63] : '='};
        strbuf_add(out, text, sizeof(text));
        length -= taken;
    }
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Four characters to `bytes` bytes (1 to 3); false when they are no such group.
static bool group_decode(const char *text, size_t bytes, unsigned char *out)
{
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        bool padding = i > bytes;
        int value = padding ? 0 : digit_value(text[i]);
        if (value < 0 || (padding && text[i] != '='))
            return false;
        group = group << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)(group >> (16 - 8 * i));
    return (group & ((UINT32_C(1) << (24 - 8 * bytes)) - 1)) == 0;
}

int base64_decode(const char *text, size_t length, void *out, size_t *out_length)
{
    unsigned char *at = out;
    *out_length = 0;
    if (length % 4)
        return -1;
    for (size_t i = 0; i < length; i += 4) {
        bool last = i + 4 == length;
        size_t bytes = last && text[i + 2] == '=' ? 1 : last && text[i + 3] == '=' ? 2 : 3;
        if (!group_decode(text + i, bytes, at))
            return -1;
        at += bytes;
    }
    *out_length = (size_t)(at - (unsigned char *)out);
    return 0;
}
