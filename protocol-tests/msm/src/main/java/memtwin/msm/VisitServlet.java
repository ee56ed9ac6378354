package memtwin.msm;

import java.io.IOException;
import java.util.Arrays;
import java.util.Random;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import javax.servlet.http.HttpSession;

/**
 * {@code GET /visit?visitor=17} counts a visit in the visitor's session and tells what the session
 * holds: {@code found=true visitor=17 visits=3 intact=true}. {@code found} is false for a new one;
 * {@code visitor} is whom the session belongs to, whoever asks.
 */
final class VisitServlet extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private static final int PAYLOAD_BYTES = 4096;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        int asked = Integer.parseInt(request.getParameter("visitor"));
        HttpSession session = request.getSession(true);
        Integer held = (Integer) session.getAttribute("visitor");
        Integer visits = (Integer) session.getAttribute("visits");
        boolean found = held != null && visits != null;
        if (!found) {
            held = asked;
            visits = 0;
            session.setAttribute("visitor", held);
            session.setAttribute("payload", payloadOf(held));
        }
        visits += 1;
        session.setAttribute("visits", visits);
        boolean intact = Arrays.equals((byte[]) session.getAttribute("payload"), payloadOf(held));
        response.setContentType("text/plain");
        response.setCharacterEncoding("US-ASCII");
        response.getWriter().printf(
                "found=%b visitor=%d visits=%d intact=%b%n", found, held, visits, intact);
    }

    /** Bytes that no compression shrinks and that every Tomcat can work out again. */
    private static byte[] payloadOf(int visitor) {
        byte[] payload = new byte[PAYLOAD_BYTES];
        new Random(visitor).nextBytes(payload);
        return payload;
    }
}
