/* SPDX-License-Identifier: MIT */
#include "signature/minisign_write.h"

#include "signature/base64.h"

#include <stdio.h>
#include <string.h>

#define HEAD_SIZE (2 + PUBLIC_KEY_ID_SIZE + ED25519_SIGNATURE_SIZE)

char *minisign_write(const struct minisign_signature *s, struct err *e)
{
    char head_text[BASE64_TEXT_SIZE(HEAD_SIZE)];
    char global_text[BASE64_TEXT_SIZE(ED25519_SIGNATURE_SIZE)];
    uint8_t head[HEAD_SIZE] = {'E', 'D'};
    char id[PUBLIC_KEY_ID_TEXT], *lines;

    memcpy(head + 2, s->id, sizeof s->id);
    memcpy(head + 2 + sizeof s->id, s->signature, sizeof s->signature);
    base64_encode(head, sizeof head, head_text);
    base64_encode(s->global, sizeof s->global, global_text);
    if (asprintf(&lines, "untrusted comment: signature by key %s\n%s\ntrusted comment: %.*s\n%s\n",
                 public_key_id_text(s->id, id), head_text, (int)s->comment_size,
                 s->comment_size > 0 ? s->comment : "", global_text) < 0) {
        err_nomem(e, "writing a signature");
        return NULL;
    }
    return lines;
}
