import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { later } from '@sageserve/experiments/console';

/** A line to a server that takes as long each way as is said, until it is cut. */
export async function slowLine(url: string): Promise<{ readonly url: string; delayMs: number; cut(): void }> {
  const far = new URL(url);
  const open = new Set<Socket>();
  const forward = (from: Socket, to: Socket): void => {
    open.add(from);
    const late = (action: () => void): void => {
      later(line.delayMs, action);
    };
    from.on('data', (bytes) => {
      late(() => to.write(bytes));
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      late(() => to.destroy());
    });
  };
  const server = createServer((here) => {
    const there = createConnection(Number(far.port || 5432), far.hostname);
    forward(here, there);
    forward(there, here);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const near = new URL(url);
  near.hostname = '127.0.0.1';
  near.port = String((server.address() as AddressInfo).port);
  const line = {
    url: near.href,
    delayMs: 0,
    cut() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
  return line;
}
