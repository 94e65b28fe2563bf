// Shows, beside the settings, how its opt-out page will look. What counts is made by the server.
"use strict";

const night = matchMedia("(prefers-color-scheme: dark)");

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// Darker by day, lighter by night, until the button can be read.
function readable(rgb, towards, against) {
  for (let share = 0; share <= 1; share += 0.05) {
    const mixed = rgb.map((c) => Math.round(c + (towards - c) * share));
    if (against.every((ground) => contrast(mixed, ground) >= 4.5)) return mixed;
  }
  return [towards, towards, towards];
}

function show() {
  const sketch = document.querySelector("[data-sketch]");
  if (!sketch) return;
  const field = (id) => document.getElementById(id)?.value.trim();
  const colour = field("id_brand_color") ?? sketch.dataset.colour ?? "";
  const name = field("id_name");
  for (const place of sketch.querySelectorAll("[data-company]")) place.textContent = name || place.dataset.company;
  if (!/^#[0-9a-f]{6}$/i.test(colour)) {
    for (const property of ["--brand", "--on-brand"]) sketch.style.removeProperty(property);
    return;
  }
  const brand = night.matches
    ? readable(channels(colour), 255, [[15, 20, 25], [6, 37, 30]])
    : readable(channels(colour), 0, [[255, 255, 255]]);
  sketch.style.setProperty("--brand", `rgb(${brand.join(" ")})`);
  sketch.style.setProperty("--on-brand", night.matches ? "#06251e" : "#fff");
}

for (const happening of ["input", "htmx:afterSwap"]) document.addEventListener(happening, show);
night.addEventListener("change", show);
show();
