/**
 * The one style of all pages. System fonts, two palettes, no images, no motion; every text colour has at least 4.5:1
 * and every control's edge 3:1 on its ground, in both palettes. Sizes are relative, so that 200 % zoom and a screen of
 * 320 pixels need no sideways scrolling.
 */
export const STYLE = `
:root{color-scheme:light dark;--ground:#eef1f4;--card:#fff;--ink:#17212b;--soft:#4a5866;--line:#cfd7df;--edge:#6b7985;--act:#0b5c6b;--act-ink:#fff;--act-on:#084653;--ring:#0b5c6b;--bad:#a3231a;--bad-ground:#fdf1f0;--warn:#7a4b00;--warn-ground:#fff6e5;--good:#1c6b3c}
@media (prefers-color-scheme:dark){:root{--ground:#10161c;--card:#19212a;--ink:#e8edf2;--soft:#b0bcc8;--line:#36424e;--edge:#8895a2;--act:#7fd1df;--act-ink:#06262c;--act-on:#a5e3ed;--ring:#7fd1df;--bad:#ff9b92;--bad-ground:#331d1c;--warn:#f2c170;--warn-ground:#2e2617;--good:#86d6a5}}
*,*::before,*::after{box-sizing:border-box}
html{font:100%/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;min-height:100vh;background:var(--ground);color:var(--ink);padding:2rem 1rem 3rem;overflow-wrap:anywhere}
header,main,footer{max-width:29rem;margin:0 auto}
header{display:flex;align-items:center;gap:.625rem;margin-bottom:1rem;color:var(--soft)}
header svg{flex:none;width:1.75rem;height:1.75rem;color:var(--act)}
header p{margin:0;font-size:.9375rem;line-height:1.3}
header strong{color:var(--ink);font-weight:600}
main{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.75rem}
main>:last-child,section>:last-child{margin-bottom:0}
footer{margin-top:1.25rem;color:var(--soft);font-size:.875rem}
h1{font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.01em;margin:0 0 .75rem;text-wrap:balance}
h2{font-size:1rem;line-height:1.4;font-weight:650;margin:1.5rem 0 .5rem}
p{margin:0 0 1rem}
.soft{color:var(--soft)}
a{color:var(--act);text-underline-offset:.15em}
a:hover{color:var(--act-on);text-decoration-thickness:2px}
form{margin:1.5rem 0 0}
.field{margin:0 0 1.25rem}
label{display:block;font-weight:600;margin-bottom:.25rem}
.hint{margin:0 0 .375rem;color:var(--soft);font-size:.9375rem;font-weight:400}
.wrong{margin:0 0 .375rem;color:var(--bad);font-weight:600;font-size:.9375rem}
input{display:block;width:100%;min-height:2.75rem;padding:.5rem .75rem;font:inherit;color:inherit;background:var(--card);border:1px solid var(--edge);border-radius:.5rem}
input[aria-invalid]{border:2px solid var(--bad)}
.code-input{font-family:ui-monospace,"SFMono-Regular",Menlo,Consolas,monospace;letter-spacing:.08em}
button,.button{display:block;width:100%;min-height:2.75rem;padding:.5rem 1rem;font:inherit;font-weight:600;line-height:1.5;text-align:center;text-decoration:none;border-radius:.5rem;border:1px solid var(--act);background:var(--act);color:var(--act-ink);cursor:pointer}
button:hover,.button:hover{background:var(--act-on);border-color:var(--act-on);color:var(--act-ink)}
button.quiet{background:transparent;border-color:var(--edge);color:var(--ink)}
button.quiet:hover{background:var(--ground);border-color:var(--ink)}
form+form{margin-top:.75rem}
button+button{margin-top:.75rem}
:focus-visible,[tabindex]:focus{outline:3px solid var(--ring);outline-offset:2px}
.problem{border:1px solid var(--bad);border-left-width:.375rem;border-radius:.5rem;background:var(--bad-ground);padding:.875rem 1rem;margin:0 0 1.25rem}
.problem h2{margin:0 0 .25rem;color:var(--bad)}
.problem p,.problem ul{margin:0}
.problem ul{padding:0;list-style:none}
.problem a{color:var(--bad);font-weight:600}
.notice{border-left:.375rem solid var(--warn);border-radius:.25rem;background:var(--warn-ground);padding:.75rem 1rem;margin:0 0 1.25rem}
.notice p{margin:0}
.notice strong{color:var(--warn)}
.facts{margin:0 0 1.25rem;border-top:1px solid var(--line)}
.facts div{display:grid;grid-template-columns:minmax(8rem,30%) 1fr;gap:.25rem 1rem;padding:.5rem 0;border-bottom:1px solid var(--line)}
.facts dt{color:var(--soft)}
.facts dd{margin:0;font-weight:600}
.scopes{margin:0 0 1.25rem;padding:0;list-style:none}
.scopes li{position:relative;padding:0 0 .625rem 1.75rem}
.scopes li::before{content:"";position:absolute;left:.25rem;top:.5em;width:.5rem;height:.5rem;border-radius:50%;background:var(--act)}
.scopes li.strong::before{border-radius:0;background:var(--warn);transform:rotate(45deg)}
.scopes small{display:block;color:var(--soft);font-size:.9375rem}
.scopes code{font-size:.875rem}
code{font-family:ui-monospace,"SFMono-Regular",Menlo,Consolas,monospace;font-size:.9375em}
.user-code{margin:0 0 1.25rem;padding:1rem .5rem;border:2px solid var(--edge);border-radius:.5rem;text-align:center;font:700 clamp(1.625rem,9vw,2.25rem)/1.2 ui-monospace,"SFMono-Regular",Menlo,Consolas,monospace;letter-spacing:.06em}
.done{color:var(--good)}
.more{margin:1.5rem 0 0;padding:1rem 0 0;border-top:1px solid var(--line);list-style:none;font-size:.9375rem}
.more li+li{margin-top:.5rem}
.more a{display:inline-block;padding:.125rem 0}
@media (max-width:24rem){body{padding:1rem .5rem 2rem}header,footer{padding:0 .5rem}main{padding:1.25rem 1rem}.facts div{grid-template-columns:1fr;gap:0}}
@media (forced-colors:active){button,.button{border:2px solid ButtonText}.scopes li::before{background:CanvasText}:focus-visible,[tabindex]:focus{outline-color:Highlight}}
@media print{body{background:#fff}main{border:0}}
`.trim()
