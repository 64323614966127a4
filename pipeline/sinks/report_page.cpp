#include "pipeline/sinks/report_page.hpp"

namespace fovea {

const char* const kPageHead = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: file: 'self'; style-src 'unsafe-inline'; script-src 'sha256-W/BSNP6+mIGrbB3Zf8HmK2cXZ9Ul3gT6fmjSCIk0UQc='; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fovea report</title>
<style>
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --page: #f7f7f5; --card: #fff; --line: #e3e3df; --accent: #0b68cb; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edeef0; --soft: #a0a4ab; --page: #121315; --card: #1b1d20; --line: #303338; --accent: #6cb2ff; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 80px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 18px; margin: 40px 0 12px; }
h3 { font-size: 15px; margin: 0; overflow-wrap: anywhere; }
p { margin: 0 0 12px; }
.soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; margin: 24px 0; }
.card, article { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.card { padding: 14px 16px; }
.card b { display: block; font-size: 24px; font-variant-numeric: tabular-nums; line-height: 1.2; }
.card span { color: var(--soft); font-size: 13px; }
.bad b { color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
article { margin: 0 0 24px; overflow: hidden; }
article header { display: flex; flex-wrap: wrap; gap: 4px 16px; justify-content: space-between; padding: 14px 18px; }
.pictures { display: flex; flex-wrap: wrap; gap: 18px; padding: 0 18px 18px; align-items: flex-start; }
figure { margin: 0; }
figcaption { color: var(--soft); font-size: 13px; margin-top: 6px; }
.compare { position: relative; flex: 1 1 420px; max-width: 720px; }
.compare .frame { position: relative; line-height: 0; border-radius: 8px; overflow: hidden; touch-action: pan-y; cursor: ew-resize; }
.compare img { width: 100%; height: auto; display: block; }
.compare .top { position: absolute; inset: 0; clip-path: inset(0 calc(100% - var(--at, 50%)) 0 0); }
.compare .bar { position: absolute; top: 0; bottom: 0; left: var(--at, 50%); width: 2px; margin-left: -1px; background: #fff; box-shadow: 0 0 4px #000a; pointer-events: none; }
.compare input { width: 100%; margin: 8px 0 0; accent-color: var(--accent); }
.slices { display: grid; gap: 8px; flex: 1 1 320px; max-width: 560px; }
.slices img { width: 100%; height: auto; border-radius: 8px; display: block; background: var(--line); }
.slices input { width: 100%; margin: 0; accent-color: var(--accent); }
.slices label { color: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums; }
.details { display: grid; gap: 12px; flex: 0 1 auto; }
.details img { border-radius: 8px; display: block; max-width: 100%; height: auto; }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; padding: 0 18px 18px; }
.maps img { width: 100%; border-radius: 8px; display: block; }
table { width: 100%; border-collapse: collapse; font-size: 14px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
td, th { text-align: left; padding: 7px 14px; border-top: 1px solid var(--line); overflow-wrap: anywhere; vertical-align: top; }
th { color: var(--soft); font-weight: 500; border-top: 0; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
summary { cursor: pointer; color: var(--accent); }
</style>
</head>
<body><main>
)html";

// The head names its SHA-256: nothing else in the page, whatever data it is made of, can run.
const char* const kPageScript = R"html(<script>
for (const box of document.querySelectorAll('.compare')) {
  const frame = box.querySelector('.frame'), range = box.querySelector('input');
  const set = at => { range.value = at; frame.style.setProperty('--at', at + '%'); };
  range.addEventListener('input', () => set(range.value));
  frame.addEventListener('pointermove', e => {
    const r = frame.getBoundingClientRect();
    set(Math.min(100, Math.max(0, (e.clientX - r.left) / r.width * 100)));
  });
}
for (const box of document.querySelectorAll('.slices')) {
  const image = box.querySelector('img'), range = box.querySelector('input'), place = box.querySelector('output');
  const names = box.dataset.files.split(' '), file = at => box.dataset.folder + names[at];
  range.addEventListener('input', () => {
    const at = range.value - 1;
    image.src = file(at);
    place.textContent = `picture ${parseInt(names[at])} (${at + 1} of ${names.length})`;
    for (const next of [at + 1, at - 1]) if (names[next]) new Image().src = file(next);
  });
}
</script>
</main></body></html>
)html";

}  // namespace fovea
