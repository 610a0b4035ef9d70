/**
 * Parts of an address in which a secret may stand, and the secret; whoever mistypes the question
 * mark means the same.
 */
const SECRET = /(?:password|secret|token|key)\w*\s*=\s*([^&#;,\s]+)/gi;
/** A database's name; what else stands there may be a part that was meant for elsewhere. */
const PLAIN_PATH = /^\/?[\w.~-]*$/;
/** Shorter texts stand in any message. */
const SHORTEST_GIVEN = 4;

/**
 * A database's address as it may be shown: who, where and which, and nothing that may be part of a
 * password. An address that does not read as one plain address is not shown at all: a character of
 * the password that should have been escaped cuts it up anywhere.
 */
export function shownUrl(text: string): string {
  const hidden = 'the database of the queue';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return hidden;
  }
  const ats = text.split('@').length - 1;
  if (ats > 1 || (ats === 1 && url.username === '') || url.hash !== '' || !PLAIN_PATH.test(url.pathname)) return hidden;
  return `${url.protocol}//${url.username === '' ? '' : `${url.username}@`}${url.host}${url.pathname}`;
}

/** A message without the secrets of an address, whichever form they have in it. */
export function withoutSecrets(message: string, text: string): string {
  let clean = message.replaceAll(text, shownUrl(text));
  for (const secret of secretsOf(text)) clean = clean.replaceAll(secret, '***');
  return clean;
}

function secretsOf(text: string): string[] {
  const found = new Set<string>();
  const add = (secret: string | undefined): void => {
    if (secret === undefined || secret === '') return;
    found.add(secret);
    try {
      found.add(decodeURIComponent(secret));
    } catch {
      // It is not escaped, then.
    }
  };
  // Everything between the user and the last @, however many there are: a password need not be
  // escaped as it should be.
  const rest = text.slice(text.indexOf('://') + 3);
  const credentials = rest.includes('@') ? rest.slice(0, rest.lastIndexOf('@')) : '';
  if (credentials.includes(':')) {
    const password = credentials.slice(credentials.indexOf(':') + 1);
    add(password);
    // What a wrong character cuts off is taken for a host, a port or a name.
    for (const part of password.split(/[/?#@:]/)) if (part.length > 2) add(part);
  }
  for (const [, secret] of text.matchAll(SECRET)) add(secret);
  return [...found].sort((a, b) => b.length - a.length);
}

/**
 * Whether an address brings a secret, which then everybody on the machine can read among the
 * arguments of the process.
 */
export function hasSecret(text: string): boolean {
  return secretsOf(text).length > 0;
}

/**
 * Arguments of a command that bring a secret, whatever they stand for: an address may be given
 * where none is expected.
 */
export function secretArguments(args: readonly string[]): string[] {
  return args.filter((arg) => /:\/\/|password/i.test(arg) && hasSecret(arg));
}

/** A message without what such arguments say. */
export function withoutGiven(message: string, args: readonly string[]): string {
  let clean = message;
  for (const arg of args) {
    clean = clean.replaceAll(arg, shownUrl(arg));
    for (const secret of secretsOf(arg)) if (secret.length >= SHORTEST_GIVEN) clean = clean.replaceAll(secret, '***');
  }
  return clean;
}
