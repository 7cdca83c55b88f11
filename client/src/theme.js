// Canvas charts cannot follow CSS variables by themselves: they read them once and are told when the theme changes.
export const token = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();
export const series = element => Array.from({ length: 8 }, (_, i) => token(element, `--series-${i + 1}`));

export function onThemeChange(action) {
  const observer = new MutationObserver(() => action());
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
  return () => observer.disconnect();
}

export function save(name, blob) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
