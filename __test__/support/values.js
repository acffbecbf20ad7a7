'use strict'

/** Values that a careless transport changes, by what they test. */

const PROTOTYPE = JSON.parse('{"__proto__":{"polluted":1},"constructor":2,"toString":3}')

const SHAPES = {
  null: null,
  'zero, which is falsy': 0,
  'false, which is falsy': false,
  'the empty string, which is falsy': '',
  true: true,
  'negative zero': -0,
  'a fraction': 0.1 + 0.2,
  'a number beyond 2^53': 2 ** 53 + 2,
  'the largest number': Number.MAX_VALUE,
  'the smallest number': Number.MIN_VALUE,
  NaN: Number.NaN,
  infinities: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  'an empty array': [],
  'an empty object': {},
  'an order of keys': { z: 1, a: { y: 1, b: 2 }, 10: 'ten', 2: 'two', m: 3 },
  'keys of the prototype': PROTOTYPE,
  'a Date': new Date(0),
  'a Date within': { at: new Date(1e12) },
  toJSON: { toJSON: key => `as JSON, key ${JSON.stringify(key)}` },
  'undefined within': { gone: undefined, array: [undefined, 1, undefined] },
  'functions and symbols within': { f() {}, s: Symbol('s'), array: [() => {}, Symbol('s')] },
  'a sparse array': Object.assign([], { 0: 1, 3: 4 }),
  'a Map and a Set': [new Map([[1, 2]]), new Set([1])],
  'boxed values': [new Number(1), new String('s'), new Boolean(false)],
  'numbers written in many ways': [1e21, 1e-7, 123456789012345680000, -1.5e300],
  'a Buffer within': { bytes: Buffer.from([0, 255]) },
}

const TEXTS = {
  'braces that look like the end of a message': 'a}{b',
  'a whole message in a string': '{"id":null,"command":"word","data":1,"delivery":null}',
  'quotes and backslashes': '"\\"\\\\" \\u0041',
  'control characters': '\0\u0001\b\f\n\r\t\u001f\u007f',
  'line separators': 'a\u2028b\u2029c',
  'a byte order mark': '\ufeffa\ufeff',
  'characters of one to four bytes': 'aé€💥',
  'lone surrogates': ['\ud800', '\udfff', 'a\udc00b', '💥'[0]],
  'a lone surrogate in a key': { '\ud800': 1 },
  'brackets and commas': '1],[2',
}

const SIZES = {
  'text of 300 KB': '}{"\\é'.repeat(60_000),
  'many small values': Array.from({ length: 20_000 }, (_, number) => ({ number })),
  '64 levels of nesting': nest(64),
  '2500 levels of nesting, half of what V8 itself can write': nest(2500),
}

module.exports = { SHAPES, TEXTS, SIZES, asJson, nest }

/** A value after JSON, as a message must arrive. */
function asJson(value) {
  return JSON.stringify(value) === undefined ? null : JSON.parse(JSON.stringify(value))
}

function nest(levels) {
  let value = 'the bottom'
  for (let level = 0; level < levels; level++) value = level % 2 ? [value] : { deeper: value }
  return value
}
