// Everything the frame of the product does in the browser without a round trip: theme, keyboard, clipboard, downloads, dialogs.
import { save } from './theme.js';

const root = document.documentElement;
const typing = target => target.closest?.('input, textarea, select, [contenteditable=true]');
const shown = element => element && element.offsetParent !== null;
const first = selector => [...document.querySelectorAll(selector)].find(shown);

// --- theme -------------------------------------------------------------------------------------
export function setTheme(name) {
  root.dataset.theme = name;
  document.cookie = `theme=${name};path=/;max-age=31536000;samesite=lax`;
}
export const toggleTheme = () => { setTheme(root.dataset.theme === 'dark' ? 'light' : 'dark'); return root.dataset.theme; };
export const theme = () => root.dataset.theme;

// --- clipboard and files -------------------------------------------------------------------------
export async function copy(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea'); // plain http on another machine has no clipboard API
  area.value = text; area.style.cssText = 'position:fixed;opacity:0';
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select(); document.execCommand('copy'); area.remove();
}
export const download = (name, text, type = 'text/plain') => save(name, new Blob([text], { type }));
export async function downloadStream(name, stream, type) { save(name, new Blob([await stream.arrayBuffer()], { type })); }

// --- dialogs: the browser's own, so focus stays inside and Esc closes -------------------------------
export function openDialog(dialog) { if (!dialog.open) dialog.showModal(); }
export function closeDialog(dialog) { if (dialog.open) dialog.close(); }
export const focus = element => element?.focus();

// --- notifications outside of the page, where the person allowed them ----------------------------------
export async function askToNotify() { if ('Notification' in window && Notification.permission === 'default') await Notification.requestPermission(); }
export function notify(title, body, href) {
  if (!('Notification' in window) || Notification.permission !== 'granted') return;
  const shown = new Notification(title, { body, tag: title + body }); // several open pages show one
  shown.onclick = () => { window.focus(); location.assign(href); };
}

/** Keeps the end of a log in view, unless the reader scrolled away from it. */
export function scrollToEnd(element) { if (element) element.scrollTop = element.scrollHeight; }
export const isAtEnd = element => element.scrollHeight - element.scrollTop - element.clientHeight < 40;

// --- keyboard --------------------------------------------------------------------------------------
let chord = 0;
const rows = () => [...document.querySelectorAll('tr[data-row]')].filter(shown);
function move(step) {
  const all = rows(), at = all.indexOf(document.activeElement?.closest?.('tr[data-row]'));
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  next?.focus({ preventScroll: true }); next?.scrollIntoView({ block: 'nearest' });
}
function toggleHelp() {
  const help = document.getElementById('keyboard-help');
  if (help) help.open ? help.close() : help.showModal();
}
document.addEventListener('click', event => { if (event.target.closest('[data-help-open]')) toggleHelp(); });
document.addEventListener('keydown', event => {
  const { key, target } = event;
  if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === 'k') { event.preventDefault(); first('[data-palette-open]')?.click(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(target)) return;
  if (document.querySelector('dialog[open]')) { if (key === '?') toggleHelp(); return; }
  if (chord && Date.now() - chord < 1200) {
    chord = 0;
    const link = document.querySelector(`.rail a[data-chord="${CSS.escape(key)}"]`); // the rail says which letter leads where
    if (link) { event.preventDefault(); link.click(); }
    return;
  }
  const row = target.closest?.('tr[data-row]');
  const actions = {
    g: () => { chord = Date.now(); }, '?': toggleHelp, j: () => move(1), k: () => move(-1),
    '/': () => { const box = first('[data-search]'); box ? (box.focus(), box.select?.()) : first('[data-palette-open]')?.click(); },
    x: () => row?.querySelector('input[type=checkbox]')?.click(), c: () => first('[data-compare]')?.click(),
    Enter: () => { if (target === row) row?.querySelector('[data-row-link]')?.click(); },
  };
  if (document.querySelector('[data-owns-keys]') && 'jkxcs'.includes(key)) return; // the annotation page has its own keys
  if (actions[key]) { if (key !== 'Enter') event.preventDefault(); actions[key](); }
});

// A click anywhere in a row follows its link; a modifier opens a tab, as on the link itself.
document.addEventListener('click', event => {
  const row = event.target.closest?.('tr[data-row]');
  if (!row || event.target.closest('a, button, input, label, select, summary') || String(getSelection())) return;
  const link = row.querySelector('[data-row-link]');
  if (!link) return;
  if (event.ctrlKey || event.metaKey) window.open(link.href, '_blank', 'noopener'); else link.click();
});

// The drawer (narrow screens) and menus close when something inside is chosen or the rest of the page is touched.
document.addEventListener('click', event => {
  for (const menu of document.querySelectorAll('details[data-menu][open]'))
    if (!menu.contains(event.target) || event.target.closest('a, [data-closes]')) menu.open = false;
  if (event.target.closest('[data-drawer-open]')) root.dataset.drawer = 'open';
  else if (root.dataset.drawer && (event.target.closest('.rail a') || !event.target.closest('.rail'))) delete root.dataset.drawer;
});
document.addEventListener('keydown', event => {
  if (event.key !== 'Escape') return;
  delete root.dataset.drawer;
  document.querySelectorAll('details[data-menu][open]').forEach(menu => { menu.open = false; menu.querySelector('summary')?.focus(); });
});

// --- connection dot ----------------------------------------------------------------------------------
document.addEventListener('components-reconnect-state-changed', event => {
  root.dataset.connection = event.detail.state === 'hide' ? 'up' : event.detail.state === 'failed' || event.detail.state === 'rejected' ? 'down' : 'trying';
}, true);
document.addEventListener('click', async event => {
  if (!event.target.closest('[data-reconnect]')) return;
  try { if (!await window.Blazor.reconnect()) location.reload(); } catch { location.reload(); }
});

// --- relative times: the server writes the first text, the browser keeps it true ------------------------
const units = [['y', 31536e6], ['mo', 2592e6], ['d', 864e5], ['h', 36e5], ['min', 6e4]];
function words(ms) {
  const difference = ms - Date.now(), size = Math.abs(difference);
  if (size < 45e3) return difference <= 0 ? 'just now' : 'in under a minute';
  const [unit, length] = units.find(([, length]) => size >= length * 0.98) ?? units.at(-1);
  const text = `${Math.max(1, Math.round(size / length))} ${unit}`;
  return difference <= 0 ? `${text} ago` : `in ${text}`;
}
function tick() {
  for (const time of document.querySelectorAll('time[data-relative]')) {
    const ms = Number(time.dataset.relative), text = words(ms);
    if (time.firstChild?.nodeType === 3 && time.firstChild.data !== text) time.firstChild.data = text;
    if (!time.dataset.local) { time.dataset.local = '1'; time.title = new Date(ms).toLocaleString(undefined, { dateStyle: 'full', timeStyle: 'medium' }); }
  }
}
setInterval(tick, 15_000); setTimeout(tick, 500);

// Tabs that do not fit scroll sideways: the open one is kept in sight. What a choice opens further down (data-reveal) comes into sight too,
// so far that what it was chosen in stays visible above it.
function keepTabInSight(tab) {
  const strip = tab.parentElement, end = tab.offsetLeft + tab.offsetWidth - strip.offsetLeft;
  if (end > strip.scrollLeft + strip.clientWidth || tab.offsetLeft - strip.offsetLeft < strip.scrollLeft) strip.scrollLeft = Math.max(0, end - strip.clientWidth + 24);
}
const openTabs = "[role=tab][aria-selected=true]";
new MutationObserver(changes => {
  for (const change of changes) {
    if (change.type === "attributes" && change.target.matches(openTabs)) keepTabInSight(change.target);
    for (const added of change.addedNodes) {
      if (added.nodeType !== 1) continue;
      if (added.matches(openTabs)) keepTabInSight(added); else added.querySelectorAll(openTabs).forEach(keepTabInSight);
      if (added.matches("[data-reveal]")) added.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    }
  }
}).observe(document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-selected"] });
document.querySelectorAll(openTabs).forEach(keepTabInSight);
