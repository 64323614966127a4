#include "datasets/csv.hpp"

#include <algorithm>

#include "modules/io/files.hpp"

namespace fovea {
namespace {

// What spreadsheets would compute instead of show; and what is written for it, so that reading gives every text as it was.
bool looks_like_formula(const std::string& text) {
  const std::size_t first = text.find_first_not_of('\'');
  return first != std::string::npos && std::string_view("=+-@\t").find(text[first]) != std::string_view::npos;
}

std::string without_apostrophe(std::string field) {
  return !field.empty() && field[0] == '\'' && looks_like_formula(field) ? field.substr(1) : field;
}

class Reader {
 public:
  Reader(const std::string& text, const std::string& where) : text_(text), where_(where) {}

  bool more() const { return at_ < text_.size(); }

  CsvRow row() {
    CsvRow row{line_, {field()}};
    while (more() && text_[at_] == ',') {
      ++at_;
      row.fields.push_back(field());
    }
    if (more()) new_line();
    return row;
  }

 private:
  template <class... Parts>
  void expect(bool condition, const Parts&... parts) const {
    check(condition, where_, ":", line_, ": ", parts...);
  }

  void new_line() {
    if (text_[at_] == '\r') ++at_;
    expect(!more() || text_[at_] == '\n', "expected a line break behind a carriage return");
    if (more()) ++at_;
    ++line_;
  }

  std::string field() { return more() && text_[at_] == '"' ? quoted() : plain(); }

  std::string plain() {
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string out = text_.substr(at_, end - at_);
    expect(out.find('"') == std::string::npos, "a quote inside a field: put the whole field in quotes and double the quote");
    at_ = end;
    return out;
  }

  std::string quoted() {
    const int begin = line_;
    std::string out;
    for (++at_; more(); ++at_) {
      if (text_[at_] == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        ++at_;
      }
      line_ += text_[at_] == '\n';
      out += text_[at_];
    }
    check(more(), where_, ":", begin, ": a quote without end");
    ++at_;
    expect(!more() || std::string_view(",\r\n").find(text_[at_]) != std::string_view::npos, "text behind a closing quote");
    return without_apostrophe(out);
  }

  const std::string& text_;
  const std::string& where_;
  std::size_t at_ = 0;
  int line_ = 1;
};

bool is_blank(const CsvRow& row) { return row.fields.size() == 1 && row.fields[0].empty(); }

}  // namespace

std::size_t Csv::column(const std::string& name) const {
  const auto found = std::find(header.begin(), header.end(), name);
  std::string all;
  for (const std::string& h : header) all += (all.empty() ? "" : ", ") + h;
  check(found != header.end(), where, ": expected a column '", name, "' in the header, got ", all);
  check(std::find(found + 1, header.end(), name) == header.end(), where, ": two columns are called '", name, "'");
  return static_cast<std::size_t>(found - header.begin());
}

Csv parse_csv(const std::string& given, const std::string& where) {
  check(given.find('\0') == std::string::npos, where, ": not a text file (it holds bytes of 0)");
  const std::string text = given.rfind("\xEF\xBB\xBF", 0) == 0 ? given.substr(3) : given;
  Csv csv;
  csv.where = where;
  Reader reader(text, where);
  while (reader.more()) {
    CsvRow row = reader.row();
    if (is_blank(row)) continue;
    if (csv.header.empty()) {
      csv.header = std::move(row.fields);
      continue;
    }
    check(row.fields.size() == csv.header.size(), where, ":", row.line, ": expected ", csv.header.size(),
          " fields as in the header, got ", row.fields.size());
    csv.rows.push_back(std::move(row));
  }
  check(!csv.header.empty(), where, ": the file is empty; expected a header");
  return csv;
}

Csv read_csv(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  return parse_csv({bytes.begin(), bytes.end()}, file.string());
}

std::string csv_field(const std::string& text) {
  return text.find_first_of(",\"\r\n") == std::string::npos && !looks_like_formula(text) ? text : csv_quoted(text);
}

std::string csv_quoted(const std::string& text) {
  std::string quoted = looks_like_formula(text) ? "\"'" : "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace fovea
