'use strict'

// The little of SVG that the pictures need. Colours that hold on white and on black, and text that
// follows the reader's theme.

const STYLE = `
    text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a }
    .title { font-size: 15px; font-weight: 600; fill: #1f2328 }
    .name { font-size: 13px; font-weight: 600; fill: #1f2328 }
    .ours text, text.ours { font-weight: 600; fill: #1f2328 }
    .bar { fill: #8c959f; fill-opacity: .55 }
    .ours .bar { fill: #2f81f7; fill-opacity: 1 }
    .spread { stroke: #57606a; stroke-width: 1.5 }
    .grid { stroke: #8c959f; stroke-opacity: .3 }
    .end { text-anchor: end }
    .middle { text-anchor: middle }
    @media (prefers-color-scheme: dark) {
      text { fill: #9198a1 }
      .title, .name, .ours text, text.ours { fill: #f0f6fc }
      .spread { stroke: #9198a1 }
    }`

function picture(width, height, description, content) {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
  <title>${escaped(description)}</title>
  <style>${STYLE}
  </style>
${content.join('\n')}
</svg>
`
}

const text = (x, y, content, kind = '') =>
  `  <text x="${round(x)}" y="${round(y)}"${kind && ` class="${kind}"`}>${escaped(content)}</text>`

const line = (x1, y1, x2, y2, kind) =>
  `  <line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${kind}"/>`

const round = value => Math.round(value * 10) / 10

const escaped = content => String(content).replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`)

module.exports = { picture, text, line, round, escaped }
