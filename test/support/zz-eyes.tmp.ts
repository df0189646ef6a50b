import { Browser } from './oauth.js'
import { spawn } from 'node:child_process'
const strip = (h: string) => h.replace(/<head.*?<\/head>/gs,'').replace(/<[^>]+>/g,' ').replace(/\s+/g,' ')
const show = (p: any) => console.error('  [page]', p.status, p.url.pathname, strip(p.html).slice(0,700))
const [mode, base, ...rest] = process.argv.slice(2)
if (mode === 'form') { // form PATH k=v...
  const b = new Browser(base!); let page = await b.open(rest[0]!); show(page)
  page = await b.submit(page, rest[0]!, Object.fromEntries(rest.slice(1).map((x) => [x.slice(0,x.indexOf('=')), x.slice(x.indexOf('=')+1)]))); show(page)
} else {
  const [login, password, newpw, ...args] = rest
  const child = spawn(process.execPath, ['/work/main/client/bin/countersign.js', 'login', ...args], { stdio: ['ignore','inherit','pipe'], env: process.env })
  let said = '', done = false
  child.stderr.on('data', async (d) => {
    process.stderr.write(d); said += d
    const m = /type the code\s+(\S+)/.exec(said)
    if (!m || done) return
    done = true
    const b = new Browser(base!)
    let page = await b.open('/device'); show(page)
    page = await b.submit(page, '/device', { user_code: m[1]! }); show(page)
    for (let i=0;i<8;i++){
      if (/name="newPassword"/.test(page.html)) page = await b.submit(page, '/account/password', {login: login!, password: password!, newPassword: newpw!, repeat: newpw!})
      else if (/type="password"/.test(page.html)) page = await b.submit(page, page.url.pathname, { login: login!, password: (i>2&&newpw)?newpw:password! })
      else if (/name="confirm"/.test(page.html)) page = await b.submit(page, '/device', {confirm:'yes'})
      else if (/action="[^"]*consent"/.test(page.html)) page = await b.submit(page, '/consent')
      else { const a = /href="(\/login\/[^"]+)"/.exec(page.html); if (a) page = await b.open(a[1]!); else break }
      show(page)
    }
  })
  child.on('close', (c) => { console.error('[exit', c, ']') ; process.exit(0)})
}
