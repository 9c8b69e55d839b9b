// SPDX-License-Identifier: Apache-2.0
// What every page of HtmlReport has. The summary is written last and shown first (order: -1).
#pragma once

namespace atrous::cli {

inline constexpr const char* kPageStart = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>atrous report</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --bad: #c62828; }
body { display: flex; flex-direction: column; gap: 1rem; max-width: 90rem; margin: 0 auto; padding: 1rem;
       font: 14px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1rem; margin: 1rem 0 .4rem; }
#summary { order: -1; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .3rem 0; max-width: 34rem; }
dt { opacity: .65; } dd { margin: 0; overflow-wrap: anywhere; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
table { border-collapse: collapse; } td, th { padding: .15rem .6rem .15rem 0; text-align: left; font-weight: normal; }
th { opacity: .65; } .number { text-align: right; font-variant-numeric: tabular-nums; }
.swatch { display: inline-block; width: .8em; height: .8em; border: 1px solid var(--line); margin-right: .4em; }
.bar { display: flex; height: .6rem; background: var(--soft); overflow: hidden; }
.wide { width: 10rem; }
.histogram { display: flex; align-items: flex-end; gap: 1px; height: 1.5rem; }
.histogram i { width: .6rem; background: #7a8aa0; min-height: 1px; }
#search { position: sticky; top: 0; display: flex; gap: 1rem; align-items: center; padding: .5rem 0; background: Canvas;
          border-bottom: 1px solid var(--line); z-index: 1; }
#words { flex: 1; max-width: 30rem; padding: .35rem .6rem; font: inherit; }
#cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem;
         align-items: start; }
article { border: 1px solid var(--line); border-radius: 6px; padding: .6rem; overflow-wrap: anywhere;
          content-visibility: auto; contain-intrinsic-size: auto 20rem; }
article[hidden] { display: none; }
article img { display: block; max-width: 100%; height: 12rem; object-fit: contain; margin: 0 auto .5rem; }
article h3 { font-size: .95rem; margin: 0 0 .2rem; } article p { margin: .3rem 0; font-size: .85rem; }
.faint { opacity: .65; } .failed { border-color: var(--bad); } .failed .reason { color: var(--bad); }
</style>
</head>
<body>
<div id="search"><input id="words" type="search" placeholder="Search names, classes, failures" aria-label="Search">
<label><input id="failures" type="checkbox"> failures only</label><span id="shown" class="faint"></span></div>
<main id="cards">
)html";

inline constexpr const char* kPageEnd = R"html(
<script>
"use strict";
const cards = [...document.querySelectorAll("article")].map(card => ({card, text: card.textContent.toLowerCase()}));
const words = document.getElementById("words"), failures = document.getElementById("failures");
function show() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const {card, text} of cards) {
    card.hidden = !wanted.every(word => text.includes(word)) || failures.checked && !card.classList.contains("failed");
    shown += !card.hidden;
  }
  document.getElementById("shown").textContent = `${shown} of ${cards.length} images`;
}
words.addEventListener("input", show);
failures.addEventListener("change", show);
show();
</script>
</body>
</html>
)html";

}  // namespace atrous::cli
