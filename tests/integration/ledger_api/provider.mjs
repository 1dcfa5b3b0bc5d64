// An identity provider as a process: npm oidc-provider, with one client that gets JWT access tokens for our audience.
// Arguments: port (0 takes a free one), the form its tokens have. It says its issuer on one line, and ends with its input.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { generateKeyPair, exportJWK } from 'jose';

const [port, form] = process.argv.slice(2);
const AUDIENCE = 'tongdui-api';

const forms = {
  plain: () => {},
  // Azure AD and Okta: `scp` instead of `scope`, as a text or an array; no `jti`; several audiences.
  scp: (claims) => { claims.scp = claims.scope; delete claims.scope; delete claims.jti; },
  arrays: (claims) => {
    claims.scp = claims.scope.split(' ');
    delete claims.scope;
    delete claims.jti;
    claims.aud = ['account', AUDIENCE];
  },
  // Keycloak: roles of the realm.
  roles: (claims) => { delete claims.scope; claims.realm_access = { roles: ['offline_access', 'finance-clerks'] }; },
  elsewhere: (claims) => { claims.aud = 'another-api'; },
};

const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const jwks = { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256' }] };

const server = createServer((request, response) => handler(request, response));
let handler = (_request, response) => response.end();
await new Promise((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  jwks,
  clients: [{
    client_id: 'till-7',
    client_secret: 'not-a-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  }],
  scopes: ['openid', 'finance'],
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:tongdui:api',
      getResourceServerInfo: () => ({ scope: 'finance auditor', audience: AUDIENCE, accessTokenFormat: 'jwt' }),
    },
  },
  formats: { customizers: { jwt: (_context, _token, parts) => { forms[form](parts.payload); return parts; } } },
});
handler = provider.callback();
process.stdin.on('end', () => process.exit(0)).resume();
console.log(JSON.stringify({ issuer }));
