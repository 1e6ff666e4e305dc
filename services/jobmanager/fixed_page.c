#include "services/jobmanager/fixed_page.h"

#include "services/common/http/gzip.h"

// What it is not made of in full is made again the next time.
static int make(struct fixed_page *page, struct err *err)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT, packed = STRBUF_INIT;
    page->write(&plain);
    if (strbuf_ok(&plain, err) < 0 || answer_tag(&plain, page->tag, err) < 0 ||
        gzip_bytes(plain.data, plain.length, &packed, err) < 0)
        return -1;
    page->plain = plain;
    page->packed = packed;
    plain = packed = (struct strbuf)STRBUF_INIT;
    page->is_made = true;
    return 0;
}

enum http_handled fixed_page_answer(struct fixed_page *page, const struct http_request *request,
                                    struct http_reply *reply)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT, packed = STRBUF_INIT;
    struct err err;
    pthread_mutex_lock(&page->mutex);
    int result = page->is_made ? 0 : make(page, &err);
    pthread_mutex_unlock(&page->mutex);
    if (result < 0)
        return answer_error(request, reply, &err, NULL);
    strbuf_add(&plain, page->plain.data, page->plain.length);
    http_reply_bytes(reply, 200, page->content_type, &plain);
    if (http_reply_etag(reply, request, page->tag) || !http_accepts_gzip(request)) {
        http_reply_gzip_headers(reply, false);
        return HTTP_REPLY;
    }
    strbuf_add(&packed, page->packed.data, page->packed.length);
    return http_reply_packed(reply, &packed);
}
