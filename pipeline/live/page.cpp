#include "pipeline/live/page.hpp"

namespace fovea {

const char* const kLivePage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Fovea live</title>
<link rel="icon" href="/icon.svg">
<link rel="stylesheet" href="/page.css">
</head>
<body>
<header>
  <h1>Fovea live</h1>
  <p id="state" class="quiet"><span id="state-name" role="status">connecting</span> <span id="state-text"></span></p>
</header>
<main>
  <section class="picture" aria-label="Picture">
    <canvas id="picture" role="img" aria-label="Live picture; its objects are listed on this page" hidden></canvas>
    <p id="empty">Waiting for the first picture</p>
  </section>
  <aside>
    <dl class="figures" aria-label="Figures">
      <div><dt>frames/s</dt><dd id="fps">–</dd></div>
      <div><dt title="From capture to this page's server, median of the last seconds">age</dt><dd id="age">–</dd></div>
      <div><dt title="Frames that a newer one overtook, or that were lost">dropped</dt><dd id="dropped">–</dd></div>
    </dl>
    <p id="details" class="soft"></p>
    <section class="controls" aria-label="Settings">
      <label class="line" for="threshold">Threshold <output id="threshold-value" for="threshold">–</output></label>
      <input id="threshold" type="range" min="0" max="1" step="0.01" disabled>
      <div id="layer-part" hidden>
        <label class="line switch"><span id="layer-name">Attention</span>
          <input id="layer-on" type="checkbox" role="switch"></label>
        <select id="layer" aria-label="Layer" hidden></select>
        <label class="line" for="opacity">Opacity <output id="opacity-value" for="opacity">–</output></label>
        <input id="opacity" type="range" min="0" max="1" step="0.01" disabled>
      </div>
      <p id="problem" role="alert"></p>
      <a id="snapshot" class="button" href="/snapshot.jpg" download="fovea.jpg">Save this picture</a>
    </section>
    <section aria-label="Objects">
      <h2>Objects <span id="count" class="soft"></span></h2>
      <ul id="objects"></ul>
      <p id="more" class="soft"></p>
    </section>
  </aside>
</main>
<noscript><p class="noscript">This page needs JavaScript.</p></noscript>
<script src="/page.js"></script>
</body>
</html>
)html";

const char* const kLiveStyle = R"css(
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --page: #f7f7f5; --card: #fff; --line: #e3e3df;
  --accent: #0b68cb;
  --on-accent: #fff; --bad: #b3261e; --good: #1a7f37; --wait: #8a5a00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edeef0; --soft: #a0a4ab; --page: #121315; --card: #1b1d20; --line: #303338; --accent: #6cb2ff;
  --on-accent: #0b1420;
    --bad: #ff8a80; --good: #6fd68a; --wait: #f0b95a; }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 19px; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 15px; margin: 0 0 8px; }
p { margin: 0; }
.soft { color: var(--soft); font-size: 13px; font-weight: 400; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 16px; padding: 12px 20px; }
#state { flex: 1 1 200px; min-width: 0; overflow-wrap: anywhere; }
#state-name { font-weight: 600; color: var(--wait); }
#state-name::before { content: ""; display: inline-block; width: 9px; height: 9px; border-radius: 50%;
  background: currentColor; margin-right: 6px; }
.good #state-name { color: var(--good); }
.bad #state-name { color: var(--bad); }
#state-text { color: var(--soft); font-size: 13px; }
main { display: grid; grid-template-columns: minmax(0, 1fr) 320px; gap: 16px; padding: 0 20px 24px; align-items: start; }
.picture { position: relative; background: #000; border-radius: 12px; overflow: hidden; min-height: 180px; display: grid;
  place-items: center; }
.picture canvas { display: block; width: 100%; height: auto; max-height: calc(100vh - 76px); max-height: calc(100dvh - 76px);
  object-fit: contain; }
.picture.stale canvas { opacity: .45; }
#empty { position: absolute; inset: 0; display: grid; place-items: center; color: #b8bcc2; pointer-events: none; }
aside { display: grid; gap: 12px; }
aside > section, .figures { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; }
.figures { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; margin: 0; }
.figures div { display: flex; flex-direction: column-reverse; }
dt { color: var(--soft); font-size: 13px; }
dd { margin: 0; font-size: 20px; line-height: 1.2; font-variant-numeric: tabular-nums; white-space: nowrap; }
#details { padding: 0 4px; font-variant-numeric: tabular-nums; }
.line { display: flex; justify-content: space-between; gap: 8px; }
output { font-variant-numeric: tabular-nums; color: var(--soft); }
input[type=range] { width: 100%; height: 28px; margin: 0 0 8px; accent-color: var(--accent); }
.switch { align-items: center; cursor: pointer; padding: 4px 0; }
.switch input { appearance: none; width: 44px; height: 26px; margin: 0; border-radius: 13px; background: var(--soft);
  position: relative; cursor: pointer;
  flex: none; transition: background .15s; }
.switch input::after { content: ""; position: absolute; top: 3px; left: 3px; width: 20px; height: 20px; border-radius: 50%;
  background: #fff; transition: left .15s; }
.switch input:checked { background: var(--accent); }
.switch input:checked::after { left: 21px; }
select { width: 100%; font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line);
  border-radius: 8px; padding: 6px 8px; margin: 4px 0 8px; }
.button { display: block; text-align: center; background: var(--accent); color: var(--on-accent); text-decoration: none;
  font-weight: 600; padding: 9px 14px; border-radius: 8px; margin-top: 4px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#problem { color: var(--bad); font-size: 13px; overflow-wrap: anywhere; }
ul { list-style: none; margin: 0; padding: 0; overflow-y: auto;
  max-height: max(160px, calc(100vh - 560px)); }
li { display: flex; justify-content: space-between; gap: 12px; padding: 4px 0; border-top: 1px solid var(--line); }
li:first-child { border-top: 0; }
li b { font-weight: 500; overflow-wrap: anywhere; }
li span { color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
.noscript { padding: 0 20px 20px; color: var(--bad); }
@media (max-width: 820px) {
  header { padding: 10px 12px; }
  main { grid-template-columns: minmax(0, 1fr); padding: 0 12px 24px; gap: 12px; }
  .picture { border-radius: 8px; }
  .picture canvas { max-height: 60vh; max-height: 60dvh; }
  ul { max-height: none; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
)css";

const char* const kLiveScript = R"js('use strict';
const $ = id => document.getElementById(id);
const picture = $('picture'), kMostShown = 30;
let stream = null, drawn = 0, pictureTimer = 0;     // of the picture: when the last one was drawn
let frame = null, judged = null, drawing = false;   // the last event of a frame, the one before the last statistics
let settings = null, lastLayer = null, saveTimer = 0, saving = false;
let pause = 1000;                                   // before the next try to connect

// All that comes from the run is text, never markup.
const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const number = (value, digits) => typeof value === 'number' && isFinite(value) ? value.toFixed(digits) : '–';

function showState(kind, name, text) {
  $('state').className = kind;
  say($('state-name'), name);
  say($('state-text'), text);
  document.querySelector('.picture').classList.toggle('stale', kind !== 'good');
}

// --- the picture: JPEGs, each behind a head with its length. An <img> would show them, but does not tell when they break off.
async function drawPicture(jpeg) {
  try {
    const bitmap = await createImageBitmap(new Blob([jpeg], {type: 'image/jpeg'}));
    if (picture.width !== bitmap.width) picture.width = bitmap.width;
    if (picture.height !== bitmap.height) picture.height = bitmap.height;
    picture.getContext('2d').drawImage(bitmap, 0, 0);
    bitmap.close();
    picture.hidden = false;
    $('empty').hidden = true;
  } catch (e) { /* a damaged one: the next may be whole */ }
}

async function showStream(reader) {
  let bytes = new Uint8Array(0);
  const more = async () => {
    const {done, value} = await reader.read();
    if (done) throw new Error('it ended');
    const all = new Uint8Array(bytes.length + value.length);
    all.set(bytes);
    all.set(value, bytes.length);
    bytes = all;
  };
  for (const latin = new TextDecoder('latin1');;) {
    let head;
    while (!(head = /Content-Length: (\d+)[^]*?\r\n\r\n/.exec(latin.decode(bytes.subarray(0, 500))))) await more();
    const from = head.index + head[0].length, to = from + Number(head[1]);
    while (bytes.length < to) await more();
    await drawPicture(bytes.subarray(from, to));
    bytes = bytes.slice(to);
    drawn = performance.now();
  }
}

async function openPicture() {
  clearTimeout(pictureTimer);
  if (stream || document.hidden) return;
  const own = stream = new AbortController();
  drawn = performance.now();
  try {
    const answer = await fetch('/stream', {signal: own.signal});
    if (answer.ok) await showStream(answer.body.getReader());
    else $('empty').hidden = false, say($('empty'), await answer.text());
  } catch (e) { /* it broke off, or was closed here */ }
  closePicture(own);
  pictureTimer = setTimeout(openPicture, 2000);
}

function closePicture(which) {
  if (which) which.abort();
  if (stream === which) stream = null;
}

// A page that nobody sees leaves its place to others.
document.addEventListener('visibilitychange', () => document.hidden ? closePicture(stream) : openPicture());

// --- what happens
function openEvents() {
  const events = new EventSource('/events');
  events.addEventListener('open', () => { pause = 1000; openPicture(); loadSettings(); });
  events.addEventListener('frame', e => {
    frame = JSON.parse(e.data);
    if (!drawing) requestAnimationFrame(showObjects);
    drawing = true;
  });
  events.addEventListener('statistics', e => showStatistics(JSON.parse(e.data)));
  events.addEventListener('error', () => { events.close(); lost(); });
}

async function lost() {
  let text = 'the program does not answer';
  try {
    const health = await fetch('/health');
    if (health.status === 401) return showState('bad', 'signed out', 'open the address that the program prints');
    if (health.ok) text = 'all places are taken, or the connection broke';
  } catch (e) { /* not there: said already */ }
  showState('bad', 'connection lost', text + '; trying again');
  setTimeout(openEvents, pause);
  pause = Math.min(2 * pause, 10000);
}

function showStatistics(s) {
  const kinds = {running: 'good', ended: 'quiet', stopped: 'quiet', failed: 'bad'};
  const name = String(s.state || 'running'), text = String(s.text || '');
  const rest = text.startsWith(name) ? text.slice(name.length).replace(/^: /, '') : text;
  if (name === 'running' && s.silent_seconds > 2) showState('wait', 'no picture for ' + number(s.silent_seconds, 0) + ' s', rest);
  else showState(kinds[name] || 'wait', name, rest);
  // Frames come, and none is shown: the stream hangs.
  if (frame && frame.frame !== judged && performance.now() - drawn > 5000) closePicture(stream);
  judged = frame && frame.frame;
  const age = s.age_ms || {};
  say($('fps'), number(s.fps, 1));
  say($('age'), typeof age.median === 'number' ? number(age.median, 0) + ' ms' : '–');
  say($('dropped'), number((s.dropped || 0) + (s.missed || 0), 0));
  const details = ['captured ' + number(s.captured_fps, 1) + '/s', 'age p99 ' + number(age.p99, 0) + ' ms',
                   number(s.memory_mb, 0) + ' MiB'];
  say($('details'), details.map(part => part.replaceAll(' ', '\u00a0')).join(' · '));
}

function showObjects() {
  drawing = false;
  const objects = Array.isArray(frame.objects) ? frame.objects : [], list = $('objects');
  const shown = objects.slice(0, kMostShown);
  while (list.children.length > shown.length) list.lastChild.remove();
  while (list.children.length < shown.length) {
    const row = document.createElement('li');
    row.append(document.createElement('b'), document.createElement('span'));
    list.append(row);
  }
  shown.forEach((o, i) => {
    const [name, score] = list.children[i].children;
    say(name, String(o.class) + (typeof o.track === 'number' ? ' #' + o.track : ''));
    say(score, typeof o.score === 'number' ? (100 * o.score).toFixed(0) + ' %' : '');
  });
  say($('count'), String(objects.length));
  say($('more'), objects.length > shown.length ? 'and ' + (objects.length - shown.length) + ' more' : '');
}

// --- settings
function showSettings() {
  const layers = settings.layers.slice(1), on = layers.includes(settings.layer);
  if (on) lastLayer = settings.layer;
  if (!layers.includes(lastLayer)) lastLayer = layers[0];
  for (const key of ['threshold', 'opacity']) {
    if (document.activeElement !== $(key) || !saveTimer) $(key).value = settings[key];
    say($(key + '-value'), number(settings[key], 2));
  }
  $('threshold').disabled = false;
  $('layer-part').hidden = layers.length === 0;
  $('layer').hidden = layers.length < 2;
  if ($('layer').length !== layers.length) $('layer').replaceChildren(...layers.map(name => new Option(name, name)));
  if (layers.length === 1) say($('layer-name'), layers[0]);
  $('layer-on').checked = on;
  if (lastLayer) $('layer').value = lastLayer;
  $('layer').disabled = $('opacity').disabled = !on;
}

async function loadSettings() {
  try {
    const answer = await fetch('/settings');
    if (!answer.ok) return;
    settings = await answer.json();
    showSettings();
  } catch (e) { /* the events' connection says so */ }
}

function change(changes) {
  if (!settings) return;
  Object.assign(settings, changes);
  showSettings();
  clearTimeout(saveTimer);
  saveTimer = setTimeout(save, 120);
}

async function save() {
  if (saving) return void (saveTimer = setTimeout(save, 120));
  saving = true;
  saveTimer = 0;
  const {threshold, opacity, layer} = settings;
  try {
    const body = JSON.stringify({threshold, opacity, layer});
    const answer = await fetch('/settings', {method: 'POST', headers: {'Content-Type': 'application/json'}, body});
    say($('problem'), answer.ok ? '' : await answer.text());
    if (answer.ok && !saveTimer) settings = await answer.json(), showSettings();
  } catch (e) { say($('problem'), 'The settings could not be sent.'); }
  saving = false;
}

for (const key of ['threshold', 'opacity']) $(key).addEventListener('input', e => change({[key]: Number(e.target.value)}));
$('layer-on').addEventListener('change', e => change({layer: e.target.checked ? lastLayer : settings.layers[0]}));
$('layer').addEventListener('change', e => change({layer: e.target.value}));
$('snapshot').addEventListener('click', e => {
  e.currentTarget.download = 'fovea-' + new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-') + '.jpg';
});

openEvents();
)js";

const char* const kLiveIcon =
    R"svg(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="8" fill="#0b68cb"/>
<circle cx="16" cy="16" r="9" fill="none" stroke="#fff" stroke-width="3"/><circle cx="16" cy="16" r="3.5" fill="#fff"/>
</svg>
)svg";

const char* const kLiveEntrance = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Fovea live: this browser is not let in</title>
</head>
<body>
<h1>This browser is not let in yet</h1>
<p>Open the whole address that the program printed where it was started, with <code>?token=</code> and what follows. It lets in
one browser; for another one, let the program print a new address.</p>
<p>If you have just come by that address from another page, <a href="/">go on here</a>.</p>
</body>
</html>
)html";

}  // namespace fovea
