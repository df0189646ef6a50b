import { describe, expect, it } from 'vitest'
import { parsePackageSpec, speaksFor } from '../../client/src/resolve/artifact.js'
import { manifestOf, weather } from '../support/world.js'

describe('package specs', () => {
  it.each([
    ['npm:left-pad', { registryType: 'npm', identifier: 'left-pad' }],
    ['npm:left-pad@1.0.0', { registryType: 'npm', identifier: 'left-pad', version: '1.0.0' }],
    ['npm:@acme/weather', { registryType: 'npm', identifier: '@acme/weather' }],
    [
      'npm:@acme/weather@2.0.0-rc.1',
      { registryType: 'npm', identifier: '@acme/weather', version: '2.0.0-rc.1' },
    ],
    ['left-pad', undefined],
    ['npm:', undefined],
    ['npm:a b', undefined],
  ])('%s', (text, spec) => {
    expect(parsePackageSpec(text)).toEqual(spec)
  })

  it('a manifest speaks for its packages and addresses, in its versions', () => {
    const manifest = manifestOf(
      { ...weather(), remotes: [{ type: 'streamable-http', url: 'https://a.example/mcp' }] },
      'registry-a',
    )
    expect(speaksFor(manifest, { package: 'npm:@acme/weather@1.0.0' })).toBe(true)
    expect(speaksFor(manifest, { package: 'npm:@acme/weather' })).toBe(true)
    expect(speaksFor(manifest, { package: 'npm:@acme/weather@1.0.1' })).toBe(false)
    expect(speaksFor(manifest, { package: 'pypi:@acme/weather@1.0.0' })).toBe(false)
    expect(speaksFor(manifest, { url: 'https://a.example/mcp' })).toBe(true)
    expect(speaksFor(manifest, { url: 'https://a.example/mcp/' })).toBe(false)
    expect(speaksFor(manifest, {})).toBe(false)
  })
})
