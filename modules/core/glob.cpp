// Thompson's construction: the pattern becomes a program whose steps are all followed at once, one character of the text after another
// (K. Thompson, Regular expression search algorithm, 1968). No pattern makes it go back.
#include "modules/core/glob.hpp"

#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr std::size_t npos = std::string_view::npos;

// The end of the [set] that starts at pattern[at], or npos where the bracket does not close. A bracket right behind the opening is a member.
std::size_t set_end(std::string_view pattern, std::size_t at) {
  std::size_t i = at + 1;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) ++i;
  if (i < pattern.size() && pattern[i] == ']') ++i;
  return pattern.find(']', i);
}

// Of a set without its brackets.
std::bitset<256> members(std::string_view set) {
  const bool inverted = !set.empty() && (set[0] == '!' || set[0] == '^');
  if (inverted) set.remove_prefix(1);
  std::bitset<256> all;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const auto low = static_cast<unsigned char>(set[i]);
    const bool range = i + 2 < set.size() && set[i + 1] == '-';
    const unsigned high = range ? static_cast<unsigned char>(set[i + 2]) : low;
    for (unsigned c = low; c <= high; ++c) all.set(c);
    if (range) i += 2;
  }
  return inverted ? ~all : all;
}

std::string_view shown(std::string_view pattern) { return pattern.substr(0, 60); }

}  // namespace

class GlobCompiler {
 public:
  GlobCompiler(Glob& glob, std::string_view pattern, Glob::Kind kind)
      : glob_(glob), pattern_(pattern), files_(kind == Glob::Kind::files) {}

  void compile() {
    find_braces();
    sequence(pattern_.size(), 0);
    emit({Glob::Code::match});
  }

 private:
  using Code = Glob::Code;

  std::uint32_t here() const { return static_cast<std::uint32_t>(glob_.program_.size()); }
  std::uint32_t emit(Glob::Step step) {
    glob_.program_.push_back(step);
    return here() - 1;
  }
  void land(std::uint32_t step) { glob_.program_[step].to = here(); }

  // closes_[i]: where the brace that opens at i closes, 0 for none; cuts_[i]: the comma or closing brace that ends the alternative behind i.
  void find_braces() {
    closes_.assign(pattern_.size(), 0);
    cuts_.assign(pattern_.size(), 0);
    std::vector<std::vector<std::size_t>> open;
    for (std::size_t i = 0; i < pattern_.size(); ++i) {
      const char c = pattern_[i];
      if (c == '\\') ++i;
      else if (c == '{') open.push_back({i});
      else if (c == ',' && !open.empty()) open.back().push_back(i);
      else if (c == '}' && !open.empty()) {
        std::vector<std::size_t> group = std::move(open.back());
        open.pop_back();
        if (files_ && group.size() < 2) continue;
        closes_[group.front()] = i;
        group.push_back(i);
        for (std::size_t k = 0; k + 1 < group.size(); ++k) cuts_[group[k]] = group[k + 1];
      }
    }
    check(files_ || open.empty(), "glob: '{' without '}' in '", shown(pattern_), "'");
  }

  // The pattern from at_ to `end`.
  void sequence(std::size_t end, int depth) {
    check(depth <= Glob::kDeepest, "glob: braces are nested deeper than ", Glob::kDeepest, " in '", shown(pattern_), "'");
    while (at_ < end) {
      const char c = pattern_[at_];
      if (c == '*') stars(end);
      else if (c == '{' && closes_[at_] > 0) alternatives(depth);
      else if (c == '[' && bracket(end)) continue;
      else if (c == '?') emit({Code::one}), ++at_;
      else {
        if (c == '\\' && at_ + 1 < end) ++at_;
        emit({Code::byte, pattern_[at_++]});
      }
    }
  }

  bool bracket(std::size_t end) {
    const std::size_t close = set_end(pattern_, at_);
    check(files_ || close != npos, "glob: '[' without ']' in '", shown(pattern_), "'");
    if (close >= end) return false;
    emit({Code::set, 0, static_cast<std::uint32_t>(glob_.sets_.size())});
    glob_.sets_.push_back(members(pattern_.substr(at_ + 1, close - at_ - 1)));
    at_ = close + 1;
    return true;
  }

  // Any number of `code`.
  void repeat(Code code) {
    const std::uint32_t again = emit({Code::fork});
    emit({code});
    emit({Code::jump, 0, again});
    land(again);
  }

  void stars(std::size_t end) {
    const std::size_t from = at_;
    while (at_ < end && pattern_[at_] == '*') ++at_;
    const auto edge = [&](char c) { return c == glob_.separator_ || c == '{' || c == '}' || c == ','; };
    const bool whole = (from == 0 || edge(pattern_[from - 1])) && (at_ == pattern_.size() || edge(pattern_[at_]));
    if (at_ - from < 2 || (files_ && !whole)) return repeat(Code::one);
    if (at_ == end || pattern_[at_] != glob_.separator_) return repeat(Code::any);
    ++at_;  // with its separator: some components, or none
    const std::uint32_t none = emit({Code::fork});
    repeat(Code::any);
    emit({Code::byte, glob_.separator_});
    const std::uint32_t done = emit({Code::jump});
    land(none);
    emit({Code::at_start});
    land(done);
  }

  void alternatives(int depth) {
    const std::size_t close = closes_[at_];
    std::vector<std::uint32_t> ends;
    for (std::size_t from = at_; from < close;) {
      const std::size_t cut = cuts_[from];
      const bool last = cut == close;
      const std::uint32_t other = last ? 0 : emit({Code::fork});
      at_ = from + 1;
      sequence(cut, depth + 1);
      if (!last) {
        ends.push_back(emit({Code::jump}));
        land(other);
      }
      from = cut;
    }
    for (const std::uint32_t jump : ends) land(jump);
    at_ = close + 1;
  }

  Glob& glob_;
  std::string_view pattern_;
  bool files_;
  std::size_t at_ = 0;
  std::vector<std::size_t> closes_, cuts_;
};

Glob::Glob(std::string_view pattern, Kind kind) : separator_(kind == Kind::files ? '/' : '.') {
  check(pattern.size() <= kLongest, "glob: expected a pattern of at most ", kLongest, " characters, got ", pattern.size(), ": '",
        shown(pattern), "...'");
  if (!pattern.empty()) GlobCompiler(*this, pattern, kind).compile();
}

// The steps that wait for the next character.
struct Glob::Run {
  const Glob& glob;
  std::vector<std::uint32_t> now, next, todo;
  std::vector<std::size_t> seen;  // at which character, plus one

  explicit Run(const Glob& g) : glob(g), seen(g.program_.size(), 0) {}

  // Adds a step and all that it leads to without a character.
  void add(std::uint32_t step, std::size_t at, bool start) {
    todo.push_back(step);
    while (!todo.empty()) {
      const std::uint32_t i = todo.back();
      todo.pop_back();
      if (seen[i] == at + 1) continue;
      seen[i] = at + 1;
      const Step& s = glob.program_[i];
      if (s.code == Code::jump) todo.push_back(s.to);
      else if (s.code == Code::fork) todo.push_back(s.to), todo.push_back(i + 1);
      else if (s.code != Code::at_start) next.push_back(i);
      else if (start) todo.push_back(i + 1);
    }
  }

  bool takes(const Step& s, char c) const {
    switch (s.code) {
      case Code::byte: return c == s.byte;
      case Code::one: return c != glob.separator_;
      case Code::any: return true;
      case Code::set: return c != glob.separator_ && glob.sets_[s.to][static_cast<unsigned char>(c)];
      default: return false;
    }
  }

  void begin() {
    add(0, 0, true);
    now.swap(next);
  }
  void follow(char c, std::size_t at) {
    next.clear();
    for (const std::uint32_t i : now)
      if (takes(glob.program_[i], c)) add(i + 1, at, c == glob.separator_);
    now.swap(next);
  }
  void follow(std::string_view text) {
    for (std::size_t i = 0; i < text.size() && !now.empty(); ++i) follow(text[i], i + 1);
  }
  bool any(bool whole) const {
    for (const std::uint32_t i : now)
      if ((glob.program_[i].code == Code::match) == whole) return true;
    return false;
  }
};

bool Glob::matches(std::string_view text) const {
  if (empty()) return false;
  Run run(*this);
  run.begin();
  run.follow(text);
  return run.any(true);
}

bool Glob::leads_on_from(std::string_view folder) const {
  if (empty()) return false;
  Run run(*this);
  run.begin();
  run.follow(folder);
  run.follow(separator_, folder.size() + 1);
  return run.any(false);
}

bool has_wildcards(std::string_view text) { return text.find_first_of("*?[{") != npos; }

}  // namespace fovea
