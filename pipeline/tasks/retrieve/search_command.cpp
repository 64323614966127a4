#include "pipeline/tasks/retrieve/search_command.hpp"

#include <fmt/format.h>

#include "modules/io/files.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/tasks/retrieve/search.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char* kUsualIndex = ".fovea-index.safetensors";  // hidden: no walk takes it for data

constexpr const char* kExamples =
    R"(The pictures of FOLDER, and of the folders in it, are encoded once and kept in FOLDER/.fovea-index.safetensors (or --index FILE).
Later searches encode only what is new or changed and drop what is gone. An interrupted search keeps what it has encoded: the same
command goes on. An index belongs to the model that made it.

Examples:
  fovea search 'a dog runs through the snow' photos/ --model captions.safetensors
  fovea search 'two children on a beach' photos/ --model captions.safetensors -n 20 --report found.html
  fovea search 'a red car' /mnt/archive --model captions.safetensors --index ~/archive.index --json | tail -n 1
Exit codes: 0 done, 3 done but some pictures could not be read (with --strict: or were skipped), 64 wrong usage, an empty sentence,
words that the model does not know, or an index of another model; 75 stopped: the same command goes on.)";

class SearchCommand final : public TaskCommand {
 public:
  std::string name() const override { return "search"; }
  std::string text() const override { return "Find pictures in a folder by a sentence"; }
  std::string examples() const override { return kExamples; }
  void add_options(OptionList& o) override {
    o.word("QUERY", text_, "What the pictures should show, in a sentence");
    o.require();
    o.word("FOLDER", folder_, "With pictures, also in folders below");
    o.require();
    o.word("-m,--model", model_name_,
           "Zoo name or .safetensors file of a model that was trained for this (train: task: retrieve)");
    o.require();
    o.integer("-n,--top", top_, 1, 1000, "How many pictures, the best first");
    o.output_file("--report", report_, "Write a page with the pictures and, for models that say so, where each word was found");
    o.output_file("--index", index_, "File that keeps the encoded pictures (default: FOLDER/.fovea-index.safetensors)");
    o.hide_default();
    o.flag("--rebuild", rebuild_, "Encode all pictures anew, whatever the index holds");
  }

  bool run(Progress& progress, const std::atomic<bool>& stop) override {
    if (!fs::is_directory(folder_)) throw UsageError("search: " + printable(folder_) + ": expected a folder of pictures");
    const Model model = Model::load(model_name_);
    query_.emplace(read_query(model, text_));
    model_ = model;
    index_of_.emplace(model);
    model.release_weights();  // the sentence is read
    const fs::path folder = folder_, file = index_.empty() ? folder / kUsualIndex : fs::path(index_);
    open(file);
    const auto save = [&] { this->save(file, progress); };
    if (!update_index(*index_of_, folder, model, update_, left_out_, progress, stop, save)) {
      progress.note(folder_, "what was encoded so far is kept; the same command goes on");
      return false;
    }
    if (update_.changed() || rebuild_) save();
    hits_ = ranked(*index_of_, retrieve_head(model), *query_);
    if (hits_.empty() && !left_out_.empty()) progress.warn("no picture in " + folder_ + " can be read");
    hits_.resize(std::min(hits_.size(), static_cast<std::size_t>(top_)));
    if (!report_.empty())
      write_file_atomically(report_, search_page(folder, hits_, model, retrieve_head(model), *index_of_, *query_));
    return true;
  }

  std::string table() const override {
    std::string text =
        fmt::format("{} pictures ({} encoded now, {} gone)\n", index_of_->entries().size(), update_.encoded, update_.gone);
    if (!query_->unknown.empty()) text += fmt::format("not known: {}\n", printable(unknown_words()));
    if (query_->cut) text += fmt::format("only the first {} tokens of the sentence are read\n", kMostTextTokens);
    if (hits_.empty()) return text + "nothing was found: there are no pictures\n";
    text += fmt::format("{:>4} {:>8}  {}\n", "rank", "score", "file");
    for (std::size_t i = 0; i < hits_.size(); ++i)
      text += fmt::format("{:>4} {:>8.4f}  {}\n", i + 1, hits_[i].score, printable((fs::path(folder_) / hits_[i].name).string()));
    return text;
  }
  nlohmann::ordered_json json() const override {
    nlohmann::ordered_json all{{"query", text_},
                               {"model", model_.name()},
                               {"pictures", index_of_->entries().size()},
                               {"encoded", update_.encoded},
                               {"kept", update_.kept},
                               {"gone", update_.gone},
                               {"unknown", query_->unknown},
                               {"left_out", left_out_.size()},
                               {"results", nlohmann::ordered_json::array()}};
    for (std::size_t i = 0; i < hits_.size(); ++i) {
      nlohmann::ordered_json hit{{"rank", i + 1}, {"score", hits_[i].score}};
      put_name(hit, "file", (fs::path(folder_) / hits_[i].name).string());
      all["results"].push_back(hit);
    }
    return all;
  }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  void open(const fs::path& file) {
    if (!index_.empty() && !SearchIndex::may_replace(file))
      throw UsageError("search: " + printable(file.string()) +
                       ": this is no index of pictures, and is left as it is; name another file with --index");
    if (!rebuild_ && fs::exists(file)) index_of_->read(file);
  }
  // A folder that cannot be written to can still be searched.
  void save(const fs::path& file, Progress& progress) const {
    try {
      index_of_->write(file);
    } catch (const FileError& e) {
      progress.warn(std::string("the index is not kept, and the next search encodes the pictures again: ") + e.what() +
                    "; --index FILE keeps it elsewhere");
    }
  }
  std::string unknown_words() const {
    std::string all;
    for (const std::string& word : query_->unknown) all += (all.empty() ? "" : ", ") + word;
    return all;
  }

  std::string text_, folder_, model_name_, report_, index_;
  int top_ = 10;
  bool rebuild_ = false;
  Model model_;
  std::optional<Query> query_;
  std::optional<SearchIndex> index_of_;
  IndexUpdate update_;
  std::vector<BadFile> left_out_;
  std::vector<Hit> hits_;
};

}  // namespace

std::unique_ptr<TaskCommand> search_command() { return std::make_unique<SearchCommand>(); }

}  // namespace fovea
