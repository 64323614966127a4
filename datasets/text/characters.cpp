#include "datasets/text/characters.hpp"

#include <algorithm>
#include <span>

#include "modules/core/text.hpp"

namespace fovea {
namespace {

struct Range {
  char32_t first, last;
  bool holds(char32_t c) const { return c >= first && c <= last; }
};

constexpr char32_t kBroken = 0xfffd;

constexpr Range kBlank[] = {{0x00, 0x20},     {0x7f, 0xa0},     {0x61c, 0x61c},   {0x1680, 0x1680},
                            {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f},
                            {0x3000, 0x3000}, {0xfeff, 0xfeff}, {0xfff0, 0xffff}};
constexpr Range kPunctuation[] = {
    {0xa1, 0xa1},     {0xa7, 0xa7},     {0xab, 0xab},     {0xb6, 0xb7},     {0xbb, 0xbb},     {0xbf, 0xbf},     {0x37e, 0x37e},
    {0x387, 0x387},   {0x55a, 0x55f},   {0x589, 0x58a},   {0x5be, 0x5be},   {0x5c0, 0x5c0},   {0x5c3, 0x5c3},   {0x5f3, 0x5f4},
    {0x60c, 0x60d},   {0x61b, 0x61b},   {0x61e, 0x61f},   {0x66a, 0x66d},   {0x6d4, 0x6d4},   {0x964, 0x965},   {0x2010, 0x2027},
    {0x2030, 0x205e}, {0x2e00, 0x2e5f}, {0x3001, 0x3003}, {0x3008, 0x3011}, {0x3014, 0x301f}, {0x3030, 0x3030}, {0x303d, 0x303d},
    {0x30fb, 0x30fb}, {0xfe10, 0xfe19}, {0xfe30, 0xfe6b}, {0xff01, 0xff0f}, {0xff1a, 0xff20}, {0xff3b, 0xff40}, {0xff5b, 0xff65}};
constexpr Range kSymbol[] = {{0xa2, 0xa6},     {0xa8, 0xa9},     {0xac, 0xac},     {0xae, 0xb1},       {0xb4, 0xb4},
                             {0xb8, 0xb8},     {0xd7, 0xd7},     {0xf7, 0xf7},     {0x20a0, 0x20cf},   {0x2122, 0x2122},
                             {0x2190, 0x2bff}, {0xe000, 0xf8ff}, {0xffe0, 0xffee}, {0x1f000, 0x1faff}, {0xf0000, 0x10ffff}};
constexpr Range kModifier[] = {{0x200d, 0x200d}, {0x20e3, 0x20e3}, {0xfe00, 0xfe0f}, {0x1f3fb, 0x1f3ff}, {0xe0000, 0xe01ef}};
constexpr Range kIdeograph[] = {{0x2e80, 0x2fdf}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x3ffff}};

bool among(std::span<const Range> ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(), [c](const Range& r) { return r.holds(c); });
}

CharacterKind ascii_kind(char32_t c) {
  if (c <= 0x20 || c == 0x7f) return CharacterKind::blank;
  if (is_digit(c) || Range{'a', 'z'}.holds(c) || Range{'A', 'Z'}.holds(c)) return CharacterKind::letter;
  return std::u32string_view(U"$%&+=#@").find(c) != std::u32string_view::npos ? CharacterKind::symbol
                                                                              : CharacterKind::punctuation;
}

// Capital and small letters `step` apart, or, with 1, taking turns from a capital one on.
struct Pairs {
  Range capitals;
  char32_t step;
};
constexpr Pairs kPairs[] = {
    {{'A', 'Z'}, 32},     {{0xc0, 0xd6}, 32},    {{0xd8, 0xde}, 32},    {{0x100, 0x12f}, 1},   {{0x132, 0x137}, 1},
    {{0x139, 0x148}, 1},  {{0x14a, 0x177}, 1},   {{0x179, 0x17e}, 1},   {{0x386, 0x386}, 38},  {{0x388, 0x38a}, 37},
    {{0x38c, 0x38c}, 64}, {{0x38e, 0x38f}, 63},  {{0x391, 0x3a1}, 32},  {{0x3a3, 0x3ab}, 32},  {{0x400, 0x40f}, 80},
    {{0x410, 0x42f}, 32}, {{0x460, 0x481}, 1},   {{0x48a, 0x4bf}, 1},   {{0x4d0, 0x52f}, 1},   {{0x531, 0x556}, 48},
    {{0x1a0, 0x1a5}, 1},  {{0x1af, 0x1b0}, 1},   {{0x1cd, 0x1dc}, 1},   {{0x1de, 0x1ef}, 1},   {{0x1f8, 0x21f}, 1},
    {{0x222, 0x233}, 1},  {{0x1e00, 0x1e95}, 1}, {{0x1ea0, 0x1eff}, 1}, {{0xff21, 0xff3a}, 32}};

}  // namespace

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

CharacterKind kind_of(char32_t c) {
  if (c < 0x80) return ascii_kind(c);
  if (among(kModifier, c)) return CharacterKind::modifier;
  if (among(kBlank, c)) return CharacterKind::blank;
  if (among(kPunctuation, c)) return CharacterKind::punctuation;
  if (among(kSymbol, c)) return CharacterKind::symbol;
  return among(kIdeograph, c) ? CharacterKind::ideograph : CharacterKind::letter;
}

char32_t lower_case(char32_t c) {
  if (c == 0x130) return 'i';
  if (c == 0x178) return 0xff;
  if (c == 0x1e9e) return 0xdf;
  for (const Pairs& p : kPairs) {
    if (!p.capitals.holds(c)) continue;
    if (p.step > 1) return c + p.step;
    return (c - p.capitals.first) % 2 == 0 ? c + 1 : c;
  }
  return c;
}

std::vector<char32_t> characters_of(std::string_view utf8) {
  std::vector<char32_t> out;
  out.reserve(utf8.size());
  while (!utf8.empty()) {
    const bool nul = utf8.front() == '\0';
    const char32_t c = next_character(utf8);
    out.push_back(c == 0 && !nul ? kBroken : c);
  }
  return out;
}

void append_utf8(std::string& to, char32_t c) {
  const auto tail = [c](unsigned shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) to += static_cast<char>(c);
  else if (c < 0x800) to += {static_cast<char>(0xc0 | c >> 6), tail(0)};
  else if (c < 0x10000) to += {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  else to += {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace fovea
