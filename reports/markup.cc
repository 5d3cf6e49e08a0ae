#include "reports/markup.h"

#include <fmt/format.h>

#include "reports/text.h"

namespace highwater::reports {
namespace {

std::string Attributes(const Svg::Look& look) {
  std::string out = fmt::format(" fill=\"{}\"", look.fill);
  if (look.stroke != "none") {
    out += fmt::format(" stroke=\"{}\" stroke-width=\"{:.4g}\"", look.stroke, look.width);
  }
  if (look.opacity < 1) out += fmt::format(" opacity=\"{:.4g}\"", look.opacity);
  if (!look.dashes.empty()) out += fmt::format(" stroke-dasharray=\"{}\"", look.dashes);
  if (look.arrow) out += " marker-end=\"url(#arrow)\"";
  return out;
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : Printable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

void Svg::Line(double x1, double y1, double x2, double y2, const Look& look) {
  body_ += fmt::format("<line x1=\"{:.5g}\" y1=\"{:.6g}\" x2=\"{:.5g}\" y2=\"{:.6g}\"{}/>\n", x1,
                       y1, x2, y2, Attributes(look));
}

void Svg::Rect(double x, double y, double width, double height, const Look& look) {
  body_ += fmt::format("<rect x=\"{:.5g}\" y=\"{:.6g}\" width=\"{:.5g}\" height=\"{:.6g}\"{}/>\n",
                       x, y, width, height, Attributes(look));
}

void Svg::Circle(double x, double y, double radius, const Look& look) {
  body_ += fmt::format("<circle cx=\"{:.5g}\" cy=\"{:.6g}\" r=\"{:.4g}\"{}/>\n", x, y, radius,
                       Attributes(look));
}

void Svg::Polyline(std::string_view points, const Look& look) {
  body_ += fmt::format("<polyline points=\"{}\"{}/>\n", points, Attributes(look));
}

void Svg::Text(double x, double y, std::string_view text, const TextLook& look) {
  body_ += fmt::format(
      "<text x=\"{:.5g}\" y=\"{:.6g}\" font-family=\"sans-serif\" font-size=\"{:.4g}\" "
      "fill=\"{}\"{}{}>{}</text>\n",
      x, y, look.size, look.fill,
      look.anchor == "start" ? "" : fmt::format(" text-anchor=\"{}\"", look.anchor),
      look.bold ? " font-weight=\"bold\"" : "", Escape(text));
}

std::string Svg::Done(std::string_view title) const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.6g}\" height=\"{1:.6g}\" "
      "viewBox=\"0 0 {0:.6g} {1:.6g}\" role=\"img\">\n<title>{2}</title>\n"
      "<defs><marker id=\"arrow\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" "
      "markerHeight=\"7\" orient=\"auto\"><path d=\"M0,0 L10,5 L0,10 z\" fill=\"#555555\"/>"
      "</marker></defs>\n"
      "<rect x=\"0\" y=\"0\" width=\"{0:.6g}\" height=\"{1:.6g}\" fill=\"#ffffff\"/>\n{3}</svg>\n",
      width_, height_, Escape(title), body_);
}

}  // namespace highwater::reports
