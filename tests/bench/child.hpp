// Programs that measurements start.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace fovea::bench {

// Standard output of a command; throws Error when it does not exit with 0. Arguments are passed as they are, without a shell.
std::string output_of(const std::vector<std::string>& command);

// A program that answers every line with a line, until this is destroyed.
class Child {
 public:
  explicit Child(const std::vector<std::string>& command);
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;

  // Error where the program ends instead.
  std::string ask(const std::string& line);
  std::string read_line();

 private:
  std::string name_, pending_;
  pid_t process_ = -1;
  int in_ = -1, out_ = -1;  // its standard input and output
};

}  // namespace fovea::bench
