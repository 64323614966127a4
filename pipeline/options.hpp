// The options that something offers its users: names, help and ranges stand beside the variables that they set, so that a command line, a
// program and a page of documentation all read one list.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {

struct Option {
  enum class Kind : std::uint8_t { flag, integer, number, word, optional_word, words };

  std::string names;  // "-s,--scale"; without a dash, an argument by position: "TRUTH"
  std::string text, fallback;
  Kind kind = Kind::word;
  std::vector<std::string> choices;  // of a word: empty takes any
  bool required = false;
  std::function<void(const std::string&)> set;  // Error for a value that does not fit; of words once for each

  std::string name() const;  // the longest: "scale"
};

class OptionList {
 public:
  void flag(const std::string& names, bool& value, const std::string& text);
  void integer(const std::string& names, int& value, int low, int high, const std::string& text);
  void integer(const std::string& names, std::int64_t& value, std::int64_t low, std::int64_t high, const std::string& text);
  void number(const std::string& names, double& value, double low, double high, const std::string& text);
  void word(const std::string& names, std::string& value, const std::string& text, std::vector<std::string> choices = {});
  // One that may stand without a word, which then means the first choice.
  void optional_word(const std::string& names, std::string& value, const std::string& text, std::vector<std::string> choices);
  // A file to write. Whether its folder is there is known before the hours of work behind which it is written.
  void output_file(const std::string& names, std::string& value, const std::string& text);
  void words(const std::string& names, std::vector<std::string>& values, const std::string& text);
  // Of the one added last: it must be given; its default is not shown, since the text says what happens without it.
  void require();
  void hide_default();
  // An option of another list, set in another way.
  void add(Option option, std::function<void(const std::string&)> set);

  const std::vector<Option>& all() const { return options_; }
  const Option* find(const std::string& name) const;
  // As a user would: set("top", "3"). Error for an unknown name, with the nearest one, and for a value that does not fit.
  void set(const std::string& name, const std::string& value) const;

 private:
  Option& add(const std::string& names, const std::string& text, Option::Kind kind);
  template <class T>
  void add_integer(const std::string& names, T& value, T low, T high, const std::string& text);

  std::vector<Option> options_;
};

}  // namespace fovea
