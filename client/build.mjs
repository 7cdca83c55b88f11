// Bundles the browser code and copies the fonts into the web project. Called by its build (ClientBundle.targets).
import { build } from 'esbuild';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';

const out = new URL('../src/LlmOps.Web/wwwroot/', import.meta.url).pathname.replace(/^\/([A-Za-z]:)/, '$1');
const fonts = [
  ['Inter', '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2'],
  ['Inter', '@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2', 'U+0100-02BA,U+1E00-1E9F,U+1EF2-1EFF,U+2C60-2C7F,U+A720-A7FF'],
  ['JetBrains Mono', '@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2'],
];

await rm(out + 'js', { recursive: true, force: true });
await build({
  entryPoints: ['shell', 'live-curve', 'charts', 'pipeline-diagram'].map(name => `src/${name}.js`),
  bundle: true, minify: true, format: 'esm', target: 'es2022', outdir: out + 'js',
  legalComments: 'linked', loader: { '.css': 'text' }, logLevel: 'warning',
});

await mkdir(out + 'fonts', { recursive: true });
const faces = [];
for (const [family, file, range] of fonts) {
  const name = file.split('/').at(-1);
  await cp('node_modules/' + file, out + 'fonts/' + name);
  faces.push(`@font-face{font-family:'${family}';font-style:normal;font-display:swap;font-weight:100 800;src:url(./${name}) format('woff2')${range ? `;unicode-range:${range}` : ''}}`);
}
for (const name of ['inter', 'jetbrains-mono']) await cp(`node_modules/@fontsource-variable/${name}/LICENSE`, `${out}fonts/${name}-LICENSE.txt`);
await writeFile(out + 'fonts/fonts.css', faces.join('\n') + '\n');
