#include "services/common/base/utf8.h"

size_t utf8_sequence(const unsigned char *text, size_t length)
{
    if (text[0] < 0x80)
        return 1;
    size_t need = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4 || need > length)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xF0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xED && text[1] > 0x9F;
    bool beyond = text[0] == 0xF4 && text[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : need;
}

bool utf8_valid(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t sequence = utf8_sequence((const unsigned char *)text + at, length - at);
        if (sequence == 0)
            return false;
        at += sequence;
    }
    return true;
}
