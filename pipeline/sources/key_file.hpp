// Aliases made with a secret, and the file that keeps it and says whose each alias is: a line of JSON for each, readable by its owner alone. Who has the
// file can tell everybody; who has not, nobody. It is what a later run needs to go on with the same aliases.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_set>

#include "datasets/scans/pseudonyms.hpp"
#include "modules/io/descriptor.hpp"
#include "pipeline/sources/alias.hpp"
#include "pipeline/sources/inputs.hpp"

namespace fovea {

// `said`, or "out.key.jsonl" beside the folder "out". Error where that would lie inside the folder.
std::filesystem::path key_file_of(const std::filesystem::path& out, const std::string& said);

class KeyFile final : public Aliases {
 public:
  // Reads the file, or makes it with a new secret. What a killed run left of a last line is dropped. Error where it is damaged: nobody may go on with
  // half a key; EnvironmentError where it cannot be made.
  explicit KeyFile(std::filesystem::path file);

  const std::filesystem::path& file() const { return file_; }
  const Pseudonyms& pseudonyms() const { return pseudonyms_; }
  // Of the secret, which it does not tell: tells one key from another.
  std::string fingerprint() const;

  // Notes the input and each of its files, where the file does not know them yet.
  std::string of(const Input& input) override;
  std::int64_t sealed(std::int64_t time) const override;
  // One file's, of an input that may have several.
  std::string of(const std::filesystem::path& file) const;

 private:
  void begin();
  void read();
  void read_line(const std::string& text, std::size_t number);
  void append(const std::string& text) const;
  void note(const std::string& id, const std::string& name, const std::string& group);

  std::filesystem::path file_;
  Descriptor opened_;
  std::unordered_set<std::string> known_;  // ids, with the groups' that they are noted in
  Pseudonyms pseudonyms_;
};

}  // namespace fovea
