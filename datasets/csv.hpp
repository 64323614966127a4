// Tables as comma-separated values, RFC 4180: quoted fields may hold commas, doubled quotes and line breaks; LF or CRLF; UTF-8, a mark of it is
// skipped.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fovea {

struct CsvRow {
  int line = 0;                     // where it begins, from 1
  std::vector<std::string> fields;  // as many as the header has
};

struct Csv {
  std::vector<std::string> header;
  std::vector<CsvRow> rows;  // empty lines are left out

  // The number of a column. Error that lists the header when there is none, or more than one.
  std::size_t column(const std::string& name) const;
  std::string where;
};

// Error with the line: bytes that are no text, a quote without end or inside a field, another number of fields than the header's.
Csv parse_csv(const std::string& text, const std::string& where);
Csv read_csv(const std::filesystem::path& file);

// A field for writing: quoted where it must be, or always. Text that a spreadsheet would take for a formula (it begins with =, +, - or @) gets
// an apostrophe in front, inside quotes, which reading takes off again. For text; numbers are written as they are.
std::string csv_field(const std::string& text);
std::string csv_quoted(const std::string& text);

}  // namespace fovea
