import { createSocket, type Socket } from 'node:dgram'
import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { decode, encode, streamEncode, type Answer, type Packet } from 'dns-packet'
import { onFreePort } from './ports.js'

/** A real name server on loopback, over UDP and TCP: zones are told to it, and questions to it are remembered. */
export interface TestDns {
  /** `127.0.0.1:PORT`, as a resolver takes it. */
  readonly address: string
  /** Every name that was asked for, as it was asked. */
  readonly asked: string[]
  /** What it says of a name; nothing is NXDOMAIN. `fail` answers SERVFAIL, `silent` never. */
  zone: Map<string, Zone>
  close(): Promise<void>
}

export interface Zone {
  /** Each record as its strings. */
  readonly txt?: readonly (readonly string[])[]
  readonly a?: readonly string[]
  readonly aaaa?: readonly string[]
  /** Another name, whose records follow in the same answer. */
  readonly cname?: string
  /** Answers to later questions of a type, one each, before the records above: a name that turns. */
  readonly turns?: readonly (readonly string[])[]
  readonly fails?: 'servfail' | 'silent'
}

const UDP_BYTES = 512

export async function openDns(zone: Readonly<Record<string, Zone>> = {}): Promise<TestDns> {
  const zones = new Map(Object.entries(zone))
  const asked: string[] = []
  const answer = (query: Buffer): Packet | undefined => answerTo(decode(query), zones, asked)
  return onFreePort(async (port) => {
    const tcp = await openTcp(port, answer)
    const udp = await openUdp(port, answer).catch((cause: unknown) => {
      tcp.close()
      throw cause
    })
    return { address: `127.0.0.1:${port}`, asked, zone: zones, close: () => closeBoth(udp, tcp) }
  })
}

type AnswerQuery = (query: Buffer) => Packet | undefined

async function openUdp(port: number, answer: AnswerQuery): Promise<Socket> {
  const udp = createSocket('udp4')
  udp.on('message', (query, from) => {
    const reply = answer(query)
    if (reply === undefined) return
    const bytes = encode(reply)
    udp.send(bytes.length <= UDP_BYTES ? bytes : encode(truncated(reply)), from.port, from.address)
  })
  udp.bind(port, '127.0.0.1')
  await once(udp, 'listening')
  return udp
}

/** The same port over TCP, where long answers go. */
async function openTcp(port: number, answer: AnswerQuery): Promise<Server> {
  const tcp = createServer((socket) => {
    let received = Buffer.alloc(0)
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0)
        const reply = answer(received.subarray(2, end))
        received = received.subarray(end)
        if (reply !== undefined) socket.write(streamEncode(reply))
      }
    })
  })
  tcp.listen(port, '127.0.0.1')
  await once(tcp, 'listening')
  return tcp
}

async function closeBoth(udp: Socket, tcp: Server): Promise<void> {
  udp.close()
  const closed = once(tcp, 'close')
  tcp.close()
  await closed
}

const RESPONSE = 1 << 15
const TRUNCATED = 1 << 9
const RECURSION = (1 << 8) | (1 << 7)
const SERVFAIL = 2
const NXDOMAIN = 3

function answerTo(query: Packet, zones: Map<string, Zone>, asked: string[]): Packet | undefined {
  const [question] = query.questions ?? []
  if (question === undefined) return undefined
  const name = question.name.toLowerCase().replace(/\.$/, '')
  asked.push(question.name)
  const zone = zones.get(name)
  if (zone?.fails === 'silent') return undefined
  const code = zone === undefined ? NXDOMAIN : zone.fails === 'servfail' ? SERVFAIL : 0
  return {
    type: 'response',
    ...(query.id === undefined ? {} : { id: query.id }),
    flags: RESPONSE | RECURSION | code,
    questions: [question],
    answers: code === 0 ? recordsOf(name, question.type, zones) : [],
  }
}

function truncated(reply: Packet): Packet {
  return { ...reply, flags: (reply.flags ?? 0) | TRUNCATED, answers: [] }
}

function recordsOf(name: string, type: string, zones: Map<string, Zone>): Answer[] {
  const zone = zones.get(name) ?? {}
  if (zone.cname !== undefined) {
    return [{ type: 'CNAME', name, data: zone.cname }, ...recordsOf(zone.cname, type, zones)]
  }
  if (type === 'TXT') return (zone.txt ?? []).map((data) => ({ type: 'TXT', name, data: [...data] }))
  if (type === 'A') return turned(name, zone, zones).map((data) => ({ type: 'A', name, ttl: 0, data }))
  if (type === 'AAAA') return (zone.aaaa ?? []).map((data) => ({ type: 'AAAA', name, ttl: 0, data }))
  return []
}

function turned(name: string, zone: Zone, zones: Map<string, Zone>): readonly string[] {
  const [now, ...turns] = zone.turns ?? []
  if (now === undefined) return zone.a ?? []
  zones.set(name, { ...zone, turns })
  return now
}
