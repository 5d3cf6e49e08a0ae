#pragma once

// HTML and SVG as text. Everything that comes from outside goes through Escape.
//
//   Svg svg(640, 120);
//   svg.Line(0, 60, 640, 60, {.stroke = "#888"});
//   svg.Text(4, 12, "orders-0 <script>", {});   // escaped
//   page += svg.Done("what a reader sees who cannot see");
//
// Looks are presentation attributes (`fill=`, `bgcolor=`) and never `style=`: the page reads as
// well where its style sheet is refused, as Jenkins does (`default-src 'none'`).

#include <string>
#include <string_view>

namespace highwater::reports {

// As text or the value of an attribute of HTML, SVG or XML. Control characters become `?`.
[[nodiscard]] std::string Escape(std::string_view text);

class Svg {
 public:
  Svg(double width, double height) : width_(width), height_(height) {}

  struct Look {
    std::string_view fill = "none";
    std::string_view stroke = "none";
    double width = 1;  // of the stroke
    double opacity = 1;
    std::string_view dashes = "";  // `4 3`
    bool arrow = false;            // at the end of a line
  };
  struct TextLook {
    std::string_view fill = "#222222";
    double size = 12;
    std::string_view anchor = "start";  // `middle`, `end`
    bool bold = false;
  };
  void Line(double x1, double y1, double x2, double y2, const Look& look);
  void Rect(double x, double y, double width, double height, const Look& look);
  void Circle(double x, double y, double radius, const Look& look);
  // `points`: `1,2 3,4`.
  void Polyline(std::string_view points, const Look& look);
  void Text(double x, double y, std::string_view text, const TextLook& look);

  // The whole picture; `title` says what it shows.
  [[nodiscard]] std::string Done(std::string_view title) const;

 private:
  double width_;
  double height_;
  std::string body_;
};

}  // namespace highwater::reports
