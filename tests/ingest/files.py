"""Small real files, made by hand: PDF, Word, HTML."""

from __future__ import annotations

import io
import zipfile

import docx
import pypdf

PAGE = """<!DOCTYPE html><html lang="en"><head><title>Bridge closed | Velm Courier</title>
<meta property="og:site_name" content="Velm Courier"><meta property="og:title" content="Bridge at Velm closed">
<meta property="article:published_time" content="2016-05-02T10:00:00Z">
<link rel="canonical" href="https://courier.example/bridge"></head><body>
<nav><a href="/">Home</a> <a href="/news">News</a></nav><article><h1>Bridge at Velm closed</h1>
<p>The bridge at Velm was closed for repairs on Monday after engineers found cracks in two of its pillars.</p>
<p>Lorries took the ferry for two months. Café owners complained about the loss of trade.</p>
</article><footer>Copyright 2024</footer></body></html>"""


def pdf_of(*pages):
    """A PDF with these lines on its pages, written byte by byte."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, page in enumerate(pages):
        shown = " ".join(f"({line}) Tj T*" for line in page.splitlines())
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {shown} ET".encode()
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * index)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    return _assembled(objects)


def _assembled(objects):
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, len(out))
    )


def locked_pdf(password):
    """A PDF that opens with the password."""
    writer = pypdf.PdfWriter(io.BytesIO(pdf_of("The bridge is closed.")))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def docx_of(fill):
    """A Word document filled by the function given."""
    document = docx.Document()
    fill(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def zip_of(**members):
    """An archive with these members, dots in names written as two underscores."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return out.getvalue()


def mhtml_of(page, address="https://saved.example/page"):
    """A page as Chromium saves it in one file."""
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"] = "<Saved by Blink>"
    if address:
        message["Snapshot-Content-Location"] = address
    message.make_related()
    part = EmailMessage()
    part.set_content(page, subtype="html", cte="quoted-printable")
    message.attach(part)
    return message.as_bytes()
