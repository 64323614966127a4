// Pictures of a folder, the best first, for a sentence.
#pragma once

#include <atomic>

#include "datasets/bad_file.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/tasks/retrieve/index.hpp"
#include "pipeline/tasks/retrieve/texts.hpp"

namespace fovea {

// A sentence as the model reads it.
struct Query {
  std::string text;
  std::vector<std::string> unknown;  // words that the model does not know
  std::vector<std::string> tokens;   // what its tokens stand for, <start> and <end> too
  bool cut = false;                  // it has more tokens than are read
  EncodedTexts encoded;              // of one text
};
// UsageError for a text without words, and for one of which the model knows none.
Query read_query(const Model& model, const std::string& text);

struct IndexUpdate {
  std::size_t encoded = 0, kept = 0, gone = 0;
  bool changed() const { return encoded + gone > 0; }
};
// Makes the index that of the images in a folder: encodes what is new or changed and drops what is gone. `save` is called now and
// then, where it is stopped, and where the machine fails. Gives whether it came to the end. What cannot be read is put aside by name
// and not in the index.
bool update_index(SearchIndex& index, const std::filesystem::path& folder, const Model& model, IndexUpdate& done,
                  std::vector<BadFile>& left_out, Progress& progress, const std::atomic<bool>& stop,
                  const std::function<void()>& save);

struct Hit {
  std::string name;  // below the folder
  float score = 0;
};
// All of them; of equal scores the first name first.
std::vector<Hit> ranked(const SearchIndex& index, const RetrieveHead& head, const Query& query);

// A page with the hits' pictures and, of the first ones, where each word was found if the model says so.
std::string search_page(const std::filesystem::path& folder, const std::vector<Hit>& hits, const Model& model,
                        const RetrieveHead& head, const SearchIndex& index, const Query& query);

}  // namespace fovea
