import type { IncomingMessage } from 'node:http'
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'
import { deviceConfirmPage, deviceDonePage, deviceInputPage, errorPage, pageHeaders } from '../pages/index.js'
import { isForBrowsers } from './paths.js'

/** As much of a browser's name as a person would read. */
const AGENT_MAX = 200

/** The pages that the authorization server shows itself: errors that may not be redirected, and the device flow's. */
export function openProviderPages(issuer: string) {
  const registry = new URL(issuer).host
  return {
    renderError: (ctx: KoaContextWithOIDC, out: ErrorOut): void => {
      if (!isForBrowsers(ctx.path)) {
        ctx.body = out
        return
      }
      send(ctx, errorPage({ code: out.error, detail: out.error_description ?? '', registry }))
    },
    device: {
      deviceInfo: (ctx: KoaContextWithOIDC) => ({
        address: addressOf(ctx.req),
        agent: ctx.get('user-agent').slice(0, AGENT_MAX),
      }),
      userCodeInputSource: (ctx: KoaContextWithOIDC, form: string, _out?: ErrorOut, error?: Error): void => {
        // The server answers 200 to a wrong code, as if nothing were wrong.
        if (error !== undefined && error.name !== 'AbortedError' && ctx.status < 400) ctx.status = 400
        send(
          ctx,
          deviceInputPage({ form, registry, ...(error === undefined ? {} : { problem: error.name }) }),
        )
      },
      userCodeConfirmSource: (
        ctx: KoaContextWithOIDC,
        form: string,
        client: { readonly clientName?: string | undefined },
        info: Readonly<Record<string, unknown>>,
        userCode: string,
      ): void => {
        const scopes = textOf(ctx.oidc.entities.DeviceCode?.params?.['scope']).split(' ')
        send(
          ctx,
          deviceConfirmPage({
            form,
            userCode,
            registry,
            clientName: client.clientName ?? '',
            scopes: scopes.filter((scope) => scope.startsWith('registry:')),
            address: textOf(info['address']),
            agent: textOf(info['agent']),
          }),
        )
      },
      successSource: (ctx: KoaContextWithOIDC): void => {
        send(ctx, deviceDonePage({ clientName: ctx.oidc.client?.clientName ?? '', registry }))
      },
    },
  }
}

function send(ctx: KoaContextWithOIDC, page: string): void {
  ctx.set(pageHeaders())
  ctx.body = page
}

/** The door knows which proxies to believe; the authorization server would believe anybody. */
function addressOf(req: IncomingMessage & { readonly ip?: string }): string {
  return req.ip ?? req.socket.remoteAddress ?? ''
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
