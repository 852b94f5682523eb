--- What a flame graph does in a browser. Private to green.profile.svg.
-- @module green.profile.script

-- Zoom at a click, search by the word on top or Ctrl-F, details below the pointer.
return [[
"use strict";
(function(){
var W=1180,M=10,L=6.6,frames=[].slice.call(document.querySelectorAll(".f"));
var details=document.getElementById("d"),found=document.getElementById("n");
var reset=document.getElementById("r"),search=document.getElementById("q"),term="";
function title(g){return g.querySelector("title").textContent}
function name(g){return title(g).replace(/ \([^()]*\)$/,"")}
function num(g,k){return parseFloat(g.getAttribute("data-"+k))}
function label(g,w){var n=name(g),c=Math.floor((w-6)/L),t=g.querySelector("text");
t.textContent=c<3?"":n.length<=c?n:n.slice(0,c-2)+".."}
function place(g,x,w){var r=g.querySelector("rect"),t=g.querySelector("text");
g.style.display=w<0.1?"none":"";r.setAttribute("x",x);r.setAttribute("width",Math.max(w-0.4,0.1));
t.setAttribute("x",Math.max(x,M)+3);label(g,w)}
function zoom(to){var x0=num(to,"x"),w0=num(to,"w"),d0=num(to,"d");
frames.forEach(function(g){var x=num(g,"x"),w=num(g,"w"),d=num(g,"d"),e=1e-7;
g.classList.toggle("p",d<d0);
if(d<d0&&x<=x0+e&&x+w>=x0+w0-e)place(g,M,W);
else if(d>=d0&&x>=x0-e&&x+w<=x0+w0+e)place(g,M+(x-x0)/w0*W,w/w0*W);
else g.style.display="none"});
reset.style.display=d0>0?"":"none";count()}
function count(){var spans=[],sum=0,end=-1;
frames.forEach(function(g){var hit=term!==""&&matches(g);g.classList.toggle("m",hit);
if(hit)spans.push([num(g,"x"),num(g,"x")+num(g,"w")])});
spans.sort(function(a,b){return a[0]-b[0]});
spans.forEach(function(s){if(s[1]>end){sum+=s[1]-Math.max(s[0],end);end=s[1]}});
found.textContent=term===""?"":"matched: "+(100*sum).toFixed(2)+"%"}
var re=null;
function matches(g){return re?re.test(name(g)):name(g).indexOf(term)>=0}
function ask(){var t=prompt("Names to look for (a regular expression)",term);
if(t===null)return;term=t;re=null;try{re=new RegExp(t)}catch(e){}count()}
frames.forEach(function(g){
g.addEventListener("click",function(){zoom(g)});
g.addEventListener("mouseover",function(){details.textContent=title(g)});
g.addEventListener("mouseout",function(){details.textContent=""})});
reset.addEventListener("click",function(){zoom(frames[0])});
search.addEventListener("click",ask);
window.addEventListener("keydown",function(e){
if((e.ctrlKey||e.metaKey)&&e.key==="f"){e.preventDefault();ask()}
if(e.key==="Escape"){term="";re=null;zoom(frames[0])}});
})();
]]
