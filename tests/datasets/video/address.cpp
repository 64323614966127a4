#include "datasets/video/address.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;

TEST_CASE("address: what is one", "[datasets][video]") {
  for (const char* text : {"rtsp://camera", "http://a/b", "RTSP://c", "svn+ssh://x"}) CHECK(is_address(text));
  for (const char* text : {"", "://x", "a.mp4", "/a/b", "C:/x", "1http://x", "a b://c", "dir/http://x", "http:/x", "file:x"})
    CHECK_FALSE(is_address(text));
}

TEST_CASE("address: passwords in front of the host are masked", "[datasets][video]") {
  const auto is = [](const char* given, const char* shown) {
    INFO(given);
    CHECK(masked_address(given) == shown);
  };
  is("rtsp://user:pass@host:554/path", "rtsp://user:***@host:554/path");
  is("rtsp://user:@host/path", "rtsp://user:***@host/path");
  is("rtsp://:pass@host", "rtsp://:***@host");
  is("rtsp://user@host/path", "rtsp://user@host/path");
  is("rtsp://us%40er:p%40ss%2Fw%3Ard@host/x", "rtsp://us%40er:***@host/x");
  is("rtsp://user:p@ss:w@host/x", "rtsp://user:***@host/x");  // as FFmpeg takes it
  is("http://user:pass@[fe80::1]:80/x", "http://user:***@[fe80::1]:80/x");
  is("http://[fe80::1]/a@b", "http://[fe80::1]/a@b");
  is("http://host:8080/a@b", "http://host:8080/a@b");
  is("http://host/a:b@c?d=e:f@g#h:i@j", "http://host/a:b@c?d=e:f@g#h:i@j");
  is("http://host?x@y", "http://host?x@y");
  // A '/', '?' or '#' of a password that nobody encoded: the port gives it away.
  is("rtsp://admin:se/cret@host/x", "rtsp://admin:***@host/x");
  is("rtsp://admin:se?c#ret@host/x", "rtsp://admin:***@host/x");
  is("http://host:port/x", "http://host:port/x");
  is("http://proxy/rtsp://u:p@camera/http://x:y@z", "http://proxy/rtsp://u:***@camera/http://x:***@z");
  is("http://http://u:p@h/x", "http://http:***@h/x");
  is("http://proxy/://u", "http://proxy/://u");
  is("no address: a:b@c", "no address: a:b@c");
  is("a:b@c/d", "a:b@c/d");
  is("", "");
}

TEST_CASE("address: parameters that sound secret are masked", "[datasets][video]") {
  const auto is = [](const char* given, const char* shown) {
    INFO(given);
    CHECK(masked_address(given) == shown);
  };
  is("http://h/x?password=a&size=2", "http://h/x?password=***&size=2");
  is("http://h/x?size=2&TOKEN=a/b?c;d", "http://h/x?size=2&TOKEN=***");
  is("http://h/x?api_key=1&auth=2&pwd=3&sig=4&user=u", "http://h/x?api_key=***&auth=***&pwd=***&sig=***&user=u");
  is("http://h/x?pass%77ord=a", "http://h/x?pass%77ord=***");
  is("http://h/x?p%2561ssword=a", "http://h/x?p%2561ssword=***");
  is("http://h/x?token=&a=b", "http://h/x?token=&a=b");
  is("http://h/x#access_token=a&b=c", "http://h/x#access_token=***&b=c");
  is("rtsp://h/user=admin_password=abc_channel=1/x?y=z", "rtsp://h/user=admin_password=***/x?y=z");
  is("rtsp://h/x;password=abc/y", "rtsp://h/x;password=***/y");
  is("http://h/?url=rtsp://u:p@camera/&n=1", "http://h/?url=***&n=1");
  is("http://h/?url=rtsp%253A%252F%252Fu%253Ap%2540camera", "http://h/?url=***");
  is("http://h/?url=http%3A%2F%2Fcamera%2F1", "http://h/?url=http%3A%2F%2Fcamera%2F1");
  is("http://u:p@h/x?token=a", "http://u:***@h/x?token=***");
  is("http://h/x?a=%&b=%2&token=%zz", "http://h/x?a=%&b=%2&token=***");
}

TEST_CASE("address: control characters and long ones do no harm", "[datasets][video]") {
  CHECK(masked_address("http://h/a\n\x1b[31mb\x7f") == "http://h/a??[31mb?");
  std::string nested = "http://h/";
  for (int i = 0; i < 500; ++i) nested += "?a=x://y";
  CHECK_FALSE(masked_address(nested).empty());
  CHECK(masked_address("http://" + std::string(100000, '@')).size() > 7);
}

TEST_CASE("address: in texts of others", "[datasets][video]") {
  CHECK(masked_text("cannot open 'rtsp://u:p@h/x': no route") == "cannot open 'rtsp://u:***@h/x': no route");
  CHECK(masked_text("(http://u:p@h) http://h/?key=1 end") == "(http://u:***@h) http://h/?key=*** end");
  CHECK(masked_text("plain text, a://, ://b") == "plain text, a://, ://b");
  CHECK(masked_text("") == "");
}

TEST_CASE("address: one that is longer than any server takes shows its scheme alone", "[datasets][video]") {
  CHECK(masked_address("rtsp://user:pass@host/" + std::string(5000, 'a')) == "rtsp://***");
  CHECK(masked_text("see rtsp://host/" + std::string(5000, '=') + " there") == "see rtsp://*** there");
}

TEST_CASE("fuzz: addresses", "[fuzz][datasets][video]") {
  const std::string whole = "rtsp://user:s3cretword@camera.example:554/stream?token=s3cretword&a=b#key=s3cretword";
  test::fuzz("address", {whole, "http://h/p;password=s3cretword", "cannot open " + whole + ": refused"},
             [&](const std::string& text) {
               const std::string shown = masked_address(text), of_text = masked_text(text);
               if (is_address(text)) CHECK(shown.find_first_of("\n\r\x1b") == std::string::npos);
               CHECK(masked_address(shown) == shown);
               CHECK(masked_text(of_text) == of_text);
             });
}
