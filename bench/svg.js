'use strict'

// The parts of SVG that the pictures need. The colours are readable on white and on black. If the reader's
// theme is known, the text has more contrast.
const STYLE = `
    text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #6e7681 }
    .title { font-size: 15px; font-weight: 600 }
    .name { font-size: 13px; font-weight: 600 }
    .ours text { font-weight: 600 }
    .bar { fill: #8c959f; fill-opacity: .6 }
    .ours .bar { fill: #2f81f7; fill-opacity: 1 }
    .spread { stroke: #6e7681; stroke-width: 1.5 }
    .grid { stroke: #8c959f; stroke-opacity: .3 }
    .end { text-anchor: end }
    .middle { text-anchor: middle }
    @media (prefers-color-scheme: light) {
      text { fill: #57606a }
      .title, .name, .ours text { fill: #1f2328 }
    }
    @media (prefers-color-scheme: dark) {
      text { fill: #9198a1 }
      .title, .name, .ours text { fill: #f0f6fc }
      .spread { stroke: #b1bac4 }
    }`

const MARGIN = 8

function picture(width, height, description, content) {
  const [wide, high] = [width + 2 * MARGIN, height + 2 * MARGIN]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="${-MARGIN} ${-MARGIN} ${wide} ${high}" role="img">
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
