// What is wrong with a page as it is shown now: sentences, for tests/test_browser.py. The body of a function.
const GRAPHICS = 3; // least contrast of lines and marks, WCAG 2.1, 1.4.11
const width = window.innerWidth;
const found = [];

function rgb(colour) {
  return (colour.match(/[\d.]+/g) || []).map(Number);
}

function luminance([r, g, b]) {
  const [R, G, B] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * R + 0.7152 * G + 0.0722 * B;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function ground(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
}

// width
if (!document.querySelector("meta[name=viewport]")) found.push("no viewport is set: a phone shows it tiny");
window.scrollTo(10000, 0);
if (window.scrollX > 0) found.push(`the page can be scrolled sideways, by ${Math.round(window.scrollX)} px`);
window.scrollTo(0, 0);

// mathematics
for (const formula of document.querySelectorAll(".math")) {
  if (!formula.querySelector("mjx-container")) found.push(`mathematics is not rendered: ${formula.textContent}`);
}
for (const error of document.querySelectorAll("mjx-merror")) found.push(`not mathematics: ${error.textContent}`);
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const { parentElement, data } = texts.currentNode;
  if (/\\[([]|\$\$/.test(data) && !parentElement.closest("pre, code, script, style, mjx-container")) {
    found.push(`raw mathematics: ${data.trim().slice(0, 60)}`);
  }
}

// pictures
for (const picture of document.querySelectorAll("img, svg.picture, figure > svg")) {
  const { left, right, width: shown, height } = picture.getBoundingClientRect();
  const natural = picture.tagName === "IMG" ? picture.naturalWidth : picture.getBBox().width;
  const what = `picture "${(picture.alt || picture.ariaLabel || picture.src || "").slice(0, 40)}"`;
  if (!natural || !shown || !height) found.push(`${what} is empty`);
  else if (left < 0 || right > width + 1) found.push(`${what} lies from ${left} to ${right} in a window of ${width}`);
  if (picture.tagName === "IMG") continue;
  const behind = ground(picture);
  for (const mark of picture.querySelectorAll("text, svg.picture :is(path, use, line, rect, circle)")) {
    if (mark.closest("defs, clipPath")) continue;
    const { fill, stroke } = getComputedStyle(mark);
    for (const colour of [fill, stroke].filter((c) => c.startsWith("rgb"))) {
      const least = contrast(rgb(colour), behind);
      if (rgb(colour)[3] !== 0 && least < GRAPHICS) found.push(`${what}: ${colour} has a contrast of ${least.toFixed(1)}`);
    }
  }
}

// what a page would fetch, or look up, before it is asked to
for (const link of document.querySelectorAll("link[rel~=preconnect], link[rel~=dns-prefetch], link[rel~=prefetch]")) {
  if (new URL(link.href).host !== location.host) found.push(`the page prepares to ask ${link.href}`);
}
return [...new Set(found)];
