// The one matcher of patterns: over dotted names ("backbone.layer{3,4}.**.pre_add") and over file names ("photos/**/*.png").
// Patterns come from strangers' files and from standard input: matching takes at most |pattern| x |text| steps, whatever they hold.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fovea {

// *       any characters within one component
// **      any characters; "**." at the beginning of a component is also no component at all. In file names ** is a component of its own,
//         elsewhere it is the same as *
// ?       one character        [a-z] [!a-z]  one of a set, or none of it        \x  the character x
// {a,b}   one of the alternatives, which are patterns themselves
// Components are separated by dots in names and by slashes in paths of files, where, as in a shell, braces and brackets that do not close,
// and braces without a comma, stand for themselves.
class Glob {
 public:
  enum class Kind : std::uint8_t { names, files };
  static constexpr std::size_t kLongest = 65536;  // a list of all layers of a large network
  static constexpr int kDeepest = 32;             // braces within braces

  Glob() = default;  // matches nothing, as an empty pattern does
  // Error for what is too long or nested too deep; in names also for brackets and braces that do not close.
  explicit Glob(std::string_view pattern, Kind kind = Kind::names);

  bool empty() const { return program_.empty(); }
  bool matches(std::string_view text) const;
  // Whether a path that begins with this one and a separator could match: what a walk may leave out.
  bool leads_on_from(std::string_view folder) const;

 private:
  friend class GlobCompiler;
  enum class Code : std::uint8_t { byte, one, any, set, fork, jump, at_start, match };
  struct Step {
    Code code;
    char byte = 0;
    std::uint32_t to = 0;  // fork, jump: where else; set: which
  };
  struct Run;

  char separator_ = '.';
  std::vector<Step> program_;
  std::vector<std::bitset<256>> sets_;
};

bool has_wildcards(std::string_view text);

}  // namespace fovea
